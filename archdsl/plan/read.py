"""The door for model documents: a name or path in, a checked model out, or all problems at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archdsl.document.merge import merge_trees, without_nulls
from archdsl.document.shelves import find
from archdsl.document.text import read_file, read_value
from archdsl.document.tree import Entry, Origin, Tree
from archdsl.document.validate import problem, validate
from archdsl.errors import DocumentError, Problem
from archdsl.plan.expand import expand
from archdsl.plan.plan import Plan
from archdsl.spec.model import ModelSpec
from archdsl.spec.rules import InvalidSpecError


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
    tree = read_file(find(name, "specs"))
    for setting in sets:
        tree = merge_trees(tree, setting_tree(setting))
    return check_model(tree)


def check_model(tree: Tree) -> Checked:
    """Check a model document that is already a tree.

    Raises:
        DocumentError: every problem found.
    """
    tree = without_nulls(tree)
    spec = validate(tree, ModelSpec)
    try:
        plan = expand(spec)
    except InvalidSpecError as error:
        raise DocumentError(located_rules(tree, error)) from None
    return Checked(tree=tree, spec=spec, plan=plan)


def located_rules(tree: Tree, error: InvalidSpecError) -> list[Problem]:
    """Broken rules with the places of the words they are about."""
    return [problem(tree, rule.path, rule.message) for rule in error.rules]


def setting_tree(setting: str) -> Tree:
    """`path.to.word=value` as the partial document it stands for.

    Raises:
        DocumentError: not of that form, or the value is not YAML.
    """
    path, equals, text = setting.partition("=")
    origin = Origin(source=f"--set {setting}")
    steps = path.strip().split(".")
    if not equals or not all(steps):
        message = "a setting is path=value, such as process.dim=384"
        raise DocumentError(
            [Problem(source=origin.source, line=0, column=0, path="", message=message)]
        )
    tree = read_value(text, source=origin.source)
    for step in reversed(steps):
        tree = Tree(value={step: Entry(key_origin=origin, tree=tree)}, origin=origin)
    return tree
