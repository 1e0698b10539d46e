"""The door for run profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from archdsl.document.fields import field_names
from archdsl.document.merge import without_nulls
from archdsl.document.messages import one_of
from archdsl.document.problems import beside
from archdsl.document.settings import lay_all
from archdsl.document.shelves import find
from archdsl.document.text import read_draft
from archdsl.document.tree import Tree
from archdsl.document.validate import Flaw, judge, located, problem, refuse_newer_version
from archdsl.errors import DocumentError
from archdsl.runners.profile import LocalProfile, RayProfile, RunProfile

PROFILES: Mapping[str, type[RunProfile]] = {"local": LocalProfile, "ray": RayProfile}
"""Executor to what its profiles can say."""


def read_profile(name: str, sets: Sequence[str] = ()) -> RunProfile:
    """Read a run profile and lay settings over it.

    Raises:
        NameNotFoundError: nothing there of that name.
        DocumentError: every problem found.
    """
    draft = read_draft(find(name, "runners"))
    laid = lay_all(draft.tree, sets)
    with beside((*draft.problems, *laid.problems)):
        return profile_of(without_nulls(laid.tree))


def profile_of(tree: Tree) -> RunProfile:
    """The profile a document is, of the class its executor decides.

    Raises:
        DocumentError: every problem found; an unknown executor alone, for it decides the others.
    """
    refuse_newer_version(tree)
    written = tree.child("executor")
    if written is None:
        return _validated(tree, LocalProfile)
    kind = PROFILES.get(written.value) if isinstance(written.value, str) else None
    if kind is None:
        found = one_of(written.plain(), PROFILES)
        raise DocumentError([problem(tree, ("executor",), found)])
    return _validated(tree, kind)


def _validated(tree: Tree, kind: type[RunProfile]) -> RunProfile:
    made, flaws = judge(tree, kind)
    if made is None:
        raise DocumentError(located(tree, [_placed(flaw, kind) for flaw in flaws]))
    return made


def _placed(flaw: Flaw, kind: type[RunProfile]) -> Flaw:
    """A key that another executor knows is no misspelling."""
    if not flaw.on_key:
        return flaw
    *above, word = flaw.path
    for executor, other in PROFILES.items():
        if other is not kind and word in field_names(other, above):
            return replace(flaw, message=f"belongs to executor: {executor}, which this is not")
    return flaw
