"""The one merge rule: study over base, exceptions over layers, `--set` over everything.

Scalars and lists replace; mappings merge key by key; a mapping that names another `type` replaces
the whole node; `null` deletes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archdsl.document.tree import Entry, Tree


def merge(base: Any, patch: Any) -> Any:
    """Lay plain data over plain data; neither is changed."""
    if not isinstance(patch, Mapping):
        return patch
    if not isinstance(base, Mapping) or _another_type(base.get("type"), patch.get("type")):
        base = {}
    merged = dict(base)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def merge_trees(base: Tree | None, patch: Tree) -> Tree:
    """The same rule on trees; every value keeps the origin it came from."""
    if not isinstance(patch.value, Mapping):
        return patch
    entries: dict[str, Entry] = {}
    origin = patch.origin
    if base is not None and isinstance(base.value, Mapping) and not _replaces(base, patch):
        entries = dict(base.value)
        origin = base.origin if entries else patch.origin
    for key, entry in patch.value.items():
        if entry.tree.value is None:
            entries.pop(key, None)
            continue
        before = entries.get(key)
        merged = merge_trees(before.tree if before else None, entry.tree)
        entries[key] = Entry(key_origin=entry.key_origin, tree=merged)
    return Tree(value=entries, origin=origin)


def without_nulls(tree: Tree) -> Tree:
    """A document laid over nothing. Lists are values: a `null` inside one stays."""
    return merge_trees(None, tree)


def _replaces(base: Tree, patch: Tree) -> bool:
    before, after = base.child("type"), patch.child("type")
    return _another_type(before and before.plain(), after and after.plain())


def _another_type(base: Any, patch: Any) -> bool:
    return base is not None and patch is not None and base != patch
