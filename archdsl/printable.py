"""Texts of others where people read them: names, keys and files may hold what steers a terminal.

Control characters colour it, move its cursor or set its title; marks of direction (Unicode's bidi
controls) show a text in another order than it has. Neither is shown.
"""

from __future__ import annotations

import re

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_MARKS = "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
_LINE_BY_LINE = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_MARKS}]")
_ONE_LINE = re.compile(f"[\x00-\x1f\x7f-\x9f{_MARKS}]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED = re.compile(f"[\x7f-\x9f{_MARKS}]")


def printable(text: str) -> str:
    """The text as a terminal may be given it; its lines and tabs stay."""
    return _LINE_BY_LINE.sub(REPLACEMENT, text)


def one_line(text: str) -> str:
    """The same on one line, every other character in its place."""
    return _ONE_LINE.sub(REPLACEMENT, text)


def clean(text: str) -> str:
    """The text on one line, any space as a single one, without what no file can hold."""
    return _SURROGATE.sub(REPLACEMENT, one_line(" ".join(text.split())))


def escaped(text: str) -> str:
    """JSON, or YAML in double quotes, whose texts steer no terminal and mean the same."""
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
