"""What JSON columns hold of what is read: parts of another type than archdsl writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    String,
    and_,
    case,
    cast,
    false,
    func,
    not_,
    or_,
    select,
    type_coerce,
)

from archdsl.store.tables import measurements, runs

Check = tuple[Column[Any], ColumnElement[bool], str]
"""A column, when it is damaged, and what it should hold."""
_NUMBERS, _TEXTS, _LISTS = "a list of numbers", "a list of texts", "a list of lists"
_EACH = {_NUMBERS: "number", _TEXTS: "string", _LISTS: "array"}
"""A list to the type of all that is in it, as PostgreSQL calls it."""
_ONE = {
    "a number": "number",
    "a text": "string",
    "true or false": "boolean",
    "a mapping": "object",
}
_IN_SQLITE = {
    "number": ["integer", "real"],
    "string": ["text"],
    "boolean": ["true", "false"],
    "object": ["object"],
    "array": ["array"],
}
_PARTS: Mapping[Column[Any], Mapping[str, Sequence[str]]] = {
    measurements.c.protocol: {"seeds": (_NUMBERS,)},
    measurements.c.detail: {
        "count": ("a number", _NUMBERS),
        "correct": (_NUMBERS,),
        "hits": (_LISTS,),
        "blocks_ms": (_LISTS,),
        "steady": ("true or false",),
        "unsteady": (_TEXTS,),
        "measured_at": ("a text",),
        "weights": ("a text",),
        "weights_database": ("a text",),
        "images": ("a mapping",),
        "remarks": (_TEXTS,),
        "train_seconds": ("a number",),
        "virtual_seconds": ("a number",),
    },
    runs.c.protocol: {"recipe.epochs": ("a number",), "seeds": (_NUMBERS,)},
    runs.c.detail: {"name": ("a text",), "source": ("a text",), "scores.top1": ("a number",)},
}
_EACH_RUN_HAS = frozenset({runs.c.protocol, runs.c.detail})
"""Columns none of whose parts may be missing."""


def parts_of_other_types(column: Column[Any], *, lite: bool) -> Iterator[Check]:
    """The checks of a column's parts, if it has any. What is no JSON at all is told by others."""
    for name, allowed in _PARTS.get(column, {}).items():
        part = _Part(column, name, lite=lite)
        right = or_(*(part.holds(each) for each in allowed))
        if column in _EACH_RUN_HAS:
            right = func.coalesce(right, false())
        yield column, not_(right), f"whose {name} is not {' or '.join(allowed)}"


class _Part:
    """What a column holds at a path; all that is asked of it is NULL where there is nothing."""

    def __init__(self, column: Column[Any], path: str, *, lite: bool) -> None:
        self._lite = lite
        self._at: tuple[Any, ...]
        if lite:
            raw = type_coerce(column, String)
            self._at = (case((func.json_valid(raw) == 1, raw), else_="{}"), f"$.{path}")
            self._kind = func.json_type(*self._at)
        else:
            self._at = (column[tuple(path.split("."))],)
            self._kind = func.json_typeof(*self._at)

    def holds(self, what: str) -> ColumnElement[bool]:
        if what in _ONE:
            return self._kind.in_(self._named(_ONE[what]))
        others = select(1).where(self._of_each().not_in(self._named(_EACH[what]))).exists()
        return and_(self._kind == "array", not_(others))

    def _of_each(self) -> ColumnElement[Any]:
        """The type of each element of a list."""
        if self._lite:
            of_each: ColumnElement[Any] = func.json_each(*self._at).table_valued("type").c.type
            return of_each
        elements = case((self._kind == "array", *self._at), else_=cast([], JSON))
        return func.json_typeof(func.json_array_elements(elements).table_valued("value").c.value)

    def _named(self, kind: str) -> list[str]:
        return _IN_SQLITE[kind] if self._lite else [kind]
