"""Names and numbers as a picture or a page can show them."""

from __future__ import annotations

import math
import unicodedata
from functools import cache

SOFTWARE = "drawn by archdsl"
"""Stands at the beginning of every picture and page, so that a later one may replace it unasked."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
SIGNIFICANT = 3


def clean(text: str) -> str:
    """The text on one line, without what a file cannot hold: control characters, surrogates."""
    spaced = " ".join(text.split())
    return "".join(REPLACEMENT if unicodedata.category(c) in ("Cc", "Cs") else c for c in spaced)


def drawable(text: str, *, limit: int) -> str:
    """The text as the font of the pictures can draw it, at most `limit` characters long."""
    line = clean(text[: 4 * limit])
    known = _known_characters()
    drawn = "".join(c if ord(c) in known else REPLACEMENT for c in line)
    shortened = len(drawn) > limit or len(text) > 4 * limit
    return drawn[: limit - 1].rstrip() + "…" if shortened else drawn


def number(value: float) -> str:
    """At least three significant digits, no exponent: `0.0123`, `4.57`, `45.7`, `1,234`."""
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    return f"{value:,.{max(0, SIGNIFICANT - 1 - magnitude)}f}"


def plain_number(value: float) -> str:
    """As short as it can be said without an exponent: `0.5`, `20`, `1,500`."""
    digits = f"{value:,.10f}".rstrip("0").rstrip(".")
    return "0" if digits == "-0" else digits


def with_interval(value: float, low: float, high: float) -> str:
    """`45.7 (45.2 to 46.1)`; the value alone where there is no interval."""
    if low == high:
        return number(value)
    return f"{number(value)} ({number(low)} to {number(high)})"


@cache
def _known_characters() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font  # takes its time: only for pictures

    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())
