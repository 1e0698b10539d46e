"""Choices against objectives: what the picture shows, and what its legend explains."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from archdsl.reporting.plots.choices_plot import FEW, ChoiceRows, OptionRow, choices_picture
from archdsl.reporting.plots.points import Axis

LATENCY = Axis(label="latency", unit="ms", minimize=True)
EXPLAINED = ("a trial (up to", "middle half", "on the front", "base")


def picture(*counts: int, front: Sequence[float] = (), base: float | None = None) -> str:
    options = [
        OptionRow(
            label=str(place),
            values={"latency": [1.0 + number for number in range(count)]},
            front={"latency": list(front)},
        )
        for place, count in enumerate(counts)
    ]
    return choices_picture(
        [ChoiceRows(name="depth", options=options)],
        axes={"latency": LATENCY},
        base={} if base is None else {"latency": base},
        title="choices",
    )


@pytest.mark.parametrize(
    ("svg", "explained"),
    [
        (picture(2, 3), {"a trial (up to"}),
        (picture(FEW + 1), {"middle half"}),
        (picture(1, FEW + 1, front=[1.0]), {"a trial (up to", "middle half", "on the front"}),
        (picture(2, base=3.0), {"a trial (up to", "base"}),
    ],
)
def test_the_legend_explains_what_is_drawn_and_nothing_else(svg: str, explained: set[str]) -> None:
    assert {words for words in EXPLAINED if f">{words}" in svg} == explained
