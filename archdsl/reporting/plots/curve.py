"""A learning curve as a few lines of SVG: a page may hold a hundred of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from archdsl.reporting.markup import text
from archdsl.reporting.text import number
from archdsl.reporting.wording import title
from archdsl.store.rows import EpochValue

WIDTH, HEIGHT = 320, 120
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 10, 24
"""Margins, in units of the picture."""


def curves(epochs: Sequence[EpochValue]) -> list[str]:
    """An `<svg>` element for each quantity that a training reported at least twice."""
    names = dict.fromkeys(each.name for each in epochs)
    found = []
    for name in names:
        own = [(e.epoch, e.value) for e in epochs if e.name == name and isfinite(e.value)]
        if len(own) > 1:
            found.append(_curve(name, own))
    return found


def _curve(name: str, values: Sequence[tuple[int, float]]) -> str:
    first, last = values[0][0], values[-1][0]
    low, high = min(v for _, v in values), max(v for _, v in values)
    wide = (WIDTH - LEFT - RIGHT) / max(1, last - first)
    tall = (HEIGHT - TOP - BOTTOM) / ((high - low) or 1)
    places = [
        (LEFT + wide * (epoch - first), HEIGHT - BOTTOM - tall * (value - low))
        for epoch, value in values
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    floor, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    end = f'<circle cx="{places[-1][0]:.1f}" cy="{places[-1][1]:.1f}" r="3.5"/>'
    return (
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>{text(_said(name, values))}</title>"
        f'<path class="frame" d="M{LEFT} {TOP}V{floor}H{right}"/>'
        f'<polyline points="{line}"/>{end}'
        f'<text x="{LEFT - 5}" y="{TOP + 4}" text-anchor="end">{number(high)}</text>'
        f'<text x="{LEFT - 5}" y="{floor}" text-anchor="end">{number(low)}</text>'
        f'<text x="{LEFT}" y="{HEIGHT - 8}">epoch {first}</text>'
        f'<text x="{right}" y="{HEIGHT - 8}" text-anchor="end">{last}</text>'
        "</svg>"
    )


def _said(name: str, values: Sequence[tuple[int, float]]) -> str:
    best_epoch, best = max(values, key=lambda each: each[1])
    return (
        f"{title(name)} while training: {number(values[0][1])} after epoch {values[0][0]}, "
        f"{number(values[-1][1])} after epoch {values[-1][0]}, highest {number(best)} after epoch "
        f"{best_epoch}"
    )
