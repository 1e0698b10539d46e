"""The door for run profiles."""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.document.merge import merge_trees, without_nulls
from archdsl.document.settings import setting_tree
from archdsl.document.shelves import find
from archdsl.document.text import read_file
from archdsl.document.validate import validate
from archdsl.runners.profile import RunProfile


def read_profile(name: str, sets: Sequence[str] = ()) -> RunProfile:
    """Read a run profile and lay settings over it.

    Raises:
        NameNotFoundError: nothing there of that name.
        DocumentError: every problem found.
    """
    tree = read_file(find(name, "runners"))
    for setting in sets:
        tree = merge_trees(tree, setting_tree(setting))
    return validate(without_nulls(tree), RunProfile)
