"""A document as a tree whose every value remembers where it was written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

Scalar = None | bool | int | float | str
KeyPath = tuple[str | int, ...]
"""Keys and list indices from the root."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a value or key was written; `line` and `column` are 1-based, 0 where there are none."""

    source: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One key of a mapping and its value."""

    key_origin: Origin
    tree: Tree


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A scalar, a list or a mapping, with its origin.

    Args:
        value: what was written.
        origin: where.
        size: number of values in it.
        removed: keys of a mapping that a `null` deleted, and where that was written.
    """

    value: Scalar | tuple[Tree, ...] | Mapping[str, Entry]
    origin: Origin
    size: int = 1
    removed: Mapping[str, Origin] = field(default_factory=dict, compare=False)

    def plain(self) -> Any:
        """The value as Python lists, dicts and scalars."""
        if isinstance(self.value, tuple):
            return [child.plain() for child in self.value]
        if isinstance(self.value, Mapping):
            return {key: entry.tree.plain() for key, entry in self.value.items()}
        return self.value

    def child(self, step: str | int) -> Tree | None:
        """The value under a key or list index, if there is one."""
        if isinstance(self.value, Mapping) and isinstance(step, str):
            entry = self.value.get(step)
            return entry.tree if entry else None
        if isinstance(self.value, tuple) and isinstance(step, int):
            return self.value[step] if -len(self.value) <= step < len(self.value) else None
        return None

    def at(self, path: Iterable[str | int]) -> Tree | None:
        """The value at a path, if there is one."""
        tree: Tree | None = self
        for step in path:
            tree = tree.child(step) if tree else None
        return tree

    def only(self, path: Sequence[str]) -> Tree:
        """The mapping with nothing but the value at `path`, which is there."""
        if not path:
            return self
        assert isinstance(self.value, Mapping)
        entry = self.value[path[0]]
        inner = Entry(key_origin=entry.key_origin, tree=entry.tree.only(path[1:]))
        return Tree(value={path[0]: inner}, origin=self.origin)

    def is_removed(self, path: Sequence[str | int]) -> bool:
        """Whether a `null` deleted the value at `path`."""
        around = self.at(path[:-1]) if path else None
        return around is not None and path[-1] in around.removed

    def nearest_origin(self, path: Iterable[str | int], *, key: bool = False) -> Origin:
        """Where the value at `path` was written or deleted, or else the innermost one around it.

        Args:
            path: keys and list indices from the root.
            key: the place of the last key itself rather than of its value.
        """
        tree, origin = self, self.origin
        for step in path:
            child = tree.child(step)
            if child is None:
                return tree.removed.get(str(step), origin)
            origin = child.origin
            if key and isinstance(tree.value, Mapping):
                origin = tree.value[str(step)].key_origin
            tree = child
        return origin if key else tree.origin


def tree_of(value: Any, *, source: str) -> Tree:
    """A tree of plain Python data, all of it from one source without lines (`--set`, a default)."""
    origin = Origin(source=source)
    if isinstance(value, Mapping):
        entries = {
            str(key): Entry(key_origin=origin, tree=tree_of(child, source=source))
            for key, child in value.items()
        }
        return Tree(value=entries, origin=origin)
    if isinstance(value, list | tuple):
        return Tree(value=tuple(tree_of(child, source=source) for child in value), origin=origin)
    return Tree(value=plain_scalar(value), origin=origin)


def plain_scalar(value: Any) -> Any:
    """Numbers of NumPy's as Python's own; everything else as it is."""
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value


def path_text(path: Iterable[str | int]) -> str:
    """A path as a user writes it: `layers[0].exchange.read`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
