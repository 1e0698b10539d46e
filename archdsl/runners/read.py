"""The door for run profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archdsl.document.merge import without_nulls
from archdsl.document.messages import one_of
from archdsl.document.settings import lay_all
from archdsl.document.shelves import find
from archdsl.document.text import read_file
from archdsl.document.tree import Tree
from archdsl.document.validate import problem, refuse_newer_version, validate
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
    tree = lay_all(read_file(find(name, "runners")), sets).whole()
    return profile_of(without_nulls(tree))


def profile_of(tree: Tree) -> RunProfile:
    """The profile a document is, of the class its executor decides.

    Raises:
        DocumentError: every problem found; an unknown executor alone, for it decides the others.
    """
    refuse_newer_version(tree)
    written = tree.child("executor")
    if written is None:
        return validate(tree, LocalProfile)
    kind = PROFILES.get(written.value) if isinstance(written.value, str) else None
    if kind is None:
        found = one_of(written.plain(), PROFILES)
        raise DocumentError([problem(tree, ("executor",), found)])
    return validate(tree, kind)
