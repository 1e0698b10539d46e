"""Words of messages: what a failed validation is called, values and names in short."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from archdsl.printable import one_line

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "below"),
    "greater_than": ("gt", "not above"),
    "less_than_equal": ("le", "above"),
    "less_than": ("lt", "not below"),
}


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word a misspelling most probably meant, whatever its case."""
    spelt = {each.lower(): each for each in known}
    matches = difflib.get_close_matches(word.lower(), spelt, n=1, cutoff=0.6)
    return spelt[matches[0]] if matches else None


def one_of(word: Any, known: Iterable[str]) -> str:
    """`'x' is not one of: a, b; did you mean 'a'?`"""
    words = list(known)
    hint = nearest(word, words) if isinstance(word, str) else None
    ending = f"; did you mean '{hint}'?" if hint else ""
    return f"{shown(word)} is not one of: {', '.join(words)}{ending}"


def shown(value: Any) -> str:
    """A found value, short enough for one line."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    if not isinstance(value, bool | int | float | str):
        return f"an object of class {type(value).__qualname__}"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = shortened(one_line(text), limit=40, ending="...")
    return f"'{text}'" if isinstance(value, str) else text


def shortened(text: str, *, limit: int, ending: str = "…") -> str:
    """The text; of one longer than `limit` characters its beginning, and `ending` within it."""
    return text if len(text) <= limit else text[: limit - len(ending)] + ending


def rounded(value: float) -> str:
    """Four significant digits, or all of a larger whole number: `0.5`, `21.48`, `205,800`."""
    short = f"{value:.4g}"
    return f"{value:,.0f}" if "e+" in short else short


def counted(count: int, noun: str, several: str = "") -> str:
    """`1 trial`, `1,200 trials`.

    Args:
        count: how many.
        noun: what one is called.
        several: what others are called, where that is not the noun with an s.
    """
    return f"{count:,} {noun if count == 1 else several or f'{noun}s'}"


def listed(names: Sequence[object], *, most: int = 20, rest: str = " and {:,} more") -> str:
    """`3, 7, 9 and 12 more`.

    Args:
        names: of which the first are named.
        most: how many are named.
        rest: says how many more there are.
    """
    more = len(names) - most
    return ", ".join(one_line(str(each)) for each in names[:most]) + (
        rest.format(more) if more > 0 else ""
    )


def sentence(found: Mapping[str, Any]) -> str:
    """One line for one error of pydantic's."""
    kind, context = found["type"], found.get("ctx", {})
    value = found["input"]
    if kind == "missing":
        return _missing(str(found["loc"][-1]))
    if kind == "literal_error":
        words = [word.strip().strip("'") for word in _literals(context["expected"])]
        if value in words:
            return f"{shown(value)} is text; write {value} without quotes"
        return one_of(value, words)
    if kind == "union_tag_invalid":
        words = [word.strip().strip("'") for word in context["expected_tags"].split(",")]
        return one_of(context["tag"], words)
    if kind == "union_tag_not_found":
        return "missing; every node of this kind names its type"
    if kind in _BOUNDS:
        bound, relation = _BOUNDS[kind]
        return f"{shown(value)} is {relation} {_short(context[bound])}"
    if kind in _EXPECTED:
        hint = missing_space(value) if _EXPECTED[kind] == "a mapping" else ""
        if _EXPECTED[kind] == "text" and isinstance(value, int | float):
            hint = "; in quotes it is"
        return f"{shown(value)} is not {_EXPECTED[kind]}{hint}"
    if kind in ("too_short", "too_long"):
        return f"{context['actual_length']} values; {_lengths(context)}"
    if kind == "value_error":
        return str(context["error"])
    message = str(found["msg"])
    return message[:1].lower() + message[1:] if kind != "string_pattern_mismatch" else message


def missing_space(value: Any) -> str:
    """What to write, as the end of a message, where a text stands that is meant as a mapping."""
    found = re.match(r"([A-Za-z_]\w*):(\S+)", value) if isinstance(value, str) else None
    if found is None:
        return ""
    return f"; a space is missing after the colon: write '{found[1]}: {found[2]}'"


def _short(number: float) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)


def _missing(key: str) -> str:
    return "missing; write 'archdsl: 1' as the first line" if key == "archdsl" else "missing"


def _literals(expected: str) -> list[str]:
    return expected.replace(" or ", ", ").split(",")


def _lengths(context: Mapping[str, Any]) -> str:
    low, high = context.get("min_length"), context.get("max_length")
    return f"at least {low}" if low is not None else f"at most {high}"
