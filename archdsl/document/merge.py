"""The one merge rule: study over base, exceptions over layers, `--set` over everything.

Scalars and lists replace; mappings merge key by key; a mapping that names another `type`, or is a
hole of another kind than the node (or where none stands), replaces the whole node; `null` deletes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archdsl.document.tree import Entry, Origin, Tree

HOLES = ("choose", "range", "same")
"""The word that makes a mapping a hole of a study: a value still to be decided."""


def merge(base: Any, patch: Any) -> Any:
    """Lay plain data over plain data; neither is changed."""
    if not isinstance(patch, Mapping):
        return patch
    if not isinstance(base, Mapping) or _replaces(base, patch):
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
    removed: dict[str, Origin] = {**patch.removed}
    origin = patch.origin
    kept = base is not None and not _replaces(_words(base), _words(patch))
    if base is not None and isinstance(base.value, Mapping) and kept:
        entries = dict(base.value)
        removed = {**base.removed, **patch.removed}
        origin = base.origin if entries else patch.origin
    for key, entry in patch.value.items():
        if entry.tree.value is None:
            if entries.pop(key, None):
                removed[key] = entry.key_origin
            continue
        removed.pop(key, None)
        before = entries.get(key)
        merged = merge_trees(before.tree if before else None, entry.tree)
        entries[key] = Entry(key_origin=entry.key_origin, tree=merged)
    return Tree(value=entries, origin=origin, removed=removed)


def without_nulls(tree: Tree) -> Tree:
    """A document laid over nothing. Lists are values: a `null` inside one stays."""
    return merge_trees(None, tree)


def _words(tree: Tree) -> dict[str, Any]:
    """The words of a mapping that say what it is."""
    named = tree.child("type")
    words: dict[str, Any] = {} if named is None else {"type": named.plain()}
    return words | {word: True for word in HOLES if tree.child(word)}


def _replaces(base: Mapping[str, Any], patch: Mapping[str, Any]) -> bool:
    """Whether nothing of the node `base` is meant any more where `patch` is laid over it."""
    before, after = base.get("type"), patch.get("type")
    if before is not None and after is not None and before != after:
        return True
    hole = _hole(patch)
    return hole is not None and hole != _hole(base)


def _hole(words: Mapping[str, Any]) -> str | None:
    return next((word for word in HOLES if word in words), None)
