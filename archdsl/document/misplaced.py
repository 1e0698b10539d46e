"""A word that is known, only not where it stands: indented too far, or not far enough."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from archdsl.document.fields import field_names
from archdsl.document.tree import KeyPath, Tree


def belongs_to(tree: Tree, model: type[BaseModel], path: KeyPath) -> str | None:
    """Which mapping near an unknown key knows it, None where none does.

    Args:
        tree: the document as it was written.
        model: its schema.
        path: of the key.
    """
    around, key = tree.at(path[:-1]), path[-1]
    if around is None or not isinstance(around.value, Mapping):
        return None
    line = tree.nearest_origin(path, key=True).line
    above = {name: each for name, each in around.value.items() if each.key_origin.line < line}
    for name, each in sorted(above.items(), key=lambda item: -item[1].key_origin.line):
        may_hold = each.tree.value is None or isinstance(each.tree.value, Mapping)
        if may_hold and key in field_names(model, (*path[:-1], name)):
            return _place(f"'{name}' in line {each.key_origin.line}", "further")
    for end in range(len(path) - 2, -1, -1):
        if line and key in field_names(model, path[:end]):
            origin = tree.nearest_origin(path[:end], key=True)
            return _place(
                f"'{path[end - 1]}' in line {origin.line}" if end else "the document itself", "less"
            )
    return None


def _place(owner: str, how: str) -> str:
    return f"it is a word of {owner}: write it there, indented {how}"
