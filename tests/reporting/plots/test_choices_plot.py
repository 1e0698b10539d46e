"""Choices against objectives: what the picture shows, and what its legend explains."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from archdsl.analysis.choices import Choice, Option
from archdsl.reporting.plots.choices_plot import FEW, choices_picture
from archdsl.reporting.plots.points import Axis
from tests.fixtures.complete_trials import made_trial

LATENCY = Axis(objective="latency", goal="minimize")
EXPLAINED = ("a trial (up to", "middle half", "on the front", "base")


def picture(*counts: int, front: Sequence[int] = (), base: float | None = None) -> str:
    options = tuple(
        Option(
            label=str(place),
            trials=tuple(made_trial(number, {"latency": 1.0 + number}) for number in range(count)),
        )
        for place, count in enumerate(counts)
    )
    return choices_picture(
        [Choice(name="depth", options=options)],
        axes={"latency": LATENCY},
        members=front,
        base={} if base is None else {"latency": base},
        title="choices",
    )


@pytest.mark.parametrize(
    ("svg", "explained"),
    [
        (picture(2, 3), {"a trial (up to"}),
        (picture(FEW + 1), {"middle half"}),
        (picture(1, FEW + 1, front=[0]), {"a trial (up to", "middle half", "on the front"}),
        (picture(2, base=3.0), {"a trial (up to", "base"}),
    ],
)
def test_the_legend_explains_what_is_drawn_and_nothing_else(svg: str, explained: set[str]) -> None:
    assert {words for words in EXPLAINED if f">{words}" in svg} == explained
