"""A learning curve as a few lines of SVG: a page may hold a hundred of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from archdsl.reporting.formatting import number, title
from archdsl.store.rows import EpochValue

WIDTH, HEIGHT = 320, 120
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 10, 24
"""Margins, in units of the picture."""


def curves(epochs: Sequence[EpochValue]) -> list[dict[str, Any]]:
    """What a page needs to draw a curve of each quantity that a training reported at least twice:
    the template `sections/members.html` says where it stands."""
    names = dict.fromkeys(each.name for each in epochs)
    found = []
    for name in names:
        own = [(e.epoch, e.value) for e in epochs if e.name == name and isfinite(e.value)]
        if len(own) > 1:
            found.append(_curve(name, own))
    return found


def _curve(name: str, values: Sequence[tuple[int, float]]) -> dict[str, Any]:
    first, last = values[0][0], values[-1][0]
    low, high = min(v for _, v in values), max(v for _, v in values)
    wide = (WIDTH - LEFT - RIGHT) / max(1, last - first)
    tall = (HEIGHT - TOP - BOTTOM) / ((high - low) or 1)
    places = [
        (f"{LEFT + wide * (epoch - first):.1f}", f"{HEIGHT - BOTTOM - tall * (value - low):.1f}")
        for epoch, value in values
    ]
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "top": TOP,
        "floor": HEIGHT - BOTTOM,
        "line": " ".join(f"{x},{y}" for x, y in places),
        "end": places[-1],
        "low": number(low),
        "high": number(high),
        "first": first,
        "last": last,
        "description": _description(name, values),
    }


def _description(name: str, values: Sequence[tuple[int, float]]) -> str:
    best_epoch, best = max(values, key=lambda each: each[1])
    return (
        f"{title(name)} while training: {number(values[0][1])} after epoch {values[0][0]}, "
        f"{number(values[-1][1])} after epoch {values[-1][0]}, highest {number(best)} after epoch "
        f"{best_epoch}"
    )
