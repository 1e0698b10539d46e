"""The door for model documents: a name or path in, a checked model out, or all problems at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archdsl.document.merge import HOLES, without_nulls
from archdsl.document.problems import once
from archdsl.document.reader import Draft
from archdsl.document.settings import lay_all
from archdsl.document.shelves import find
from archdsl.document.text import read_draft, read_mapping
from archdsl.document.tree import KeyPath, Tree
from archdsl.document.validate import (
    Flaw,
    judge,
    located,
    problem,
    refuse_newer_version,
    unknown_nulls,
)
from archdsl.errors import DocumentError, Problem
from archdsl.plan.expand import expand
from archdsl.plan.partial_validation import certain_rules
from archdsl.plan.plan import Plan
from archdsl.spec.model import ModelSpec
from archdsl.spec.rules import InvalidSpecError, Rule

OTHER_KINDS = ("study", "recipe", "runner")


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A model document that is known to be whole."""

    tree: Tree
    spec: ModelSpec
    plan: Plan


def read_model(name: str, sets: Sequence[str] = ()) -> Checked:
    """Read a model document, lay `path=value` settings over it, and check everything.

    Raises:
        NameNotFoundError: nothing there of that name.
        DocumentError: every problem found.
    """
    draft = read_draft(find(name, "specs"))
    laid = lay_all(draft.tree, sets)
    # A null is gone once it is laid over a document that has no such word.
    nulls = [each for patch in laid.patches for each in _unknown_nulls(patch)]
    problems = (*draft.problems, *laid.problems, *nulls)
    return check_draft(replace(draft, tree=laid.tree, problems=problems))


def read_spec(source: ModelSpec | str | Path | Mapping[str, Any]) -> ModelSpec:
    """A model document, whatever it is handed in as: itself, its name or path, a mapping.

    Raises:
        NameNotFoundError: nothing there of that name.
        DocumentError: every problem of the document.
    """
    if isinstance(source, ModelSpec):
        return source
    if isinstance(source, Mapping):
        return check_model(read_mapping(source, source="document")).spec
    return read_model(str(source)).spec


def _unknown_nulls(patch: Tree) -> list[Problem]:
    return located(patch, unknown_nulls(patch, ModelSpec))


def check_model(tree: Tree) -> Checked:
    """Check a model document that is already a tree.

    Raises:
        DocumentError: every problem found.
    """
    return check_draft(Draft(tree=tree))


def check_draft(draft: Draft) -> Checked:
    """Check a model document whose text may have problems of its own.

    Raises:
        DocumentError: every problem found.
    """
    tree = without_nulls(draft.tree)
    refuse_newer_version(tree)
    _refuse_other_kinds(tree)
    holes = list(_holes(tree, ()))
    spec, flaws = judge(tree, ModelSpec, written=draft.tree)
    flaws = holes + [flaw for flaw in flaws if not any(_inside(flaw, hole) for hole in holes)]
    nulls = unknown_nulls(draft.tree, ModelSpec)
    if spec is None or flaws or nulls or draft.problems:
        rules = located_rules(tree, certain_rules(tree, [*flaws, *nulls], draft.doubtful))
        words = [*located(tree, flaws), *located(draft.tree, nulls), *rules]
        raise DocumentError(once(draft.problems, words))
    try:
        plan = expand(spec)
    except InvalidSpecError as error:
        raise DocumentError(located_rules(tree, error.rules)) from None
    return Checked(tree=tree, spec=spec, plan=plan)


def located_rules(tree: Tree, rules: Sequence[Rule]) -> list[Problem]:
    """Broken rules with the places of the words they are about."""
    return [problem(tree, rule.path, rule.message, key=rule.on_key) for rule in rules]


def _refuse_other_kinds(tree: Tree) -> None:
    kind = tree.child("kind")
    if kind is not None and kind.value in OTHER_KINDS:
        message = f"this document is a {kind.value}; a model is wanted here"
        raise DocumentError([problem(tree, ("kind",), message)])


def _holes(tree: Tree, path: KeyPath) -> Iterator[Flaw]:
    """Holes of studies, which a model document has no use for."""
    if isinstance(tree.value, tuple):
        for number, child in enumerate(tree.value):
            yield from _holes(child, (*path, number))
    if not isinstance(tree.value, Mapping):
        return
    word = next((word for word in HOLES if word in tree.value), None)
    if word:
        message = f"a hole ({{{word}: …}}) belongs in a study over this model; write one value here"
        yield Flaw(path=path, message=message)
        return
    for key, entry in tree.value.items():
        yield from _holes(entry.tree, (*path, key))


def _inside(flaw: Flaw, hole: Flaw) -> bool:
    return flaw.path[: len(hole.path)] == hole.path
