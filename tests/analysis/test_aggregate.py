"""One value from several measurements."""

from __future__ import annotations

import math

import pytest

from archdsl.analysis.aggregate import aggregated, interval_over
from archdsl.records import Measurement


def latency(value: float, half: float) -> Measurement:
    return Measurement(
        quantity="latency", value=value, low=value - half, high=value + half, unit="ms",
        protocol={}, detail={"count": 300},
    )  # fmt: skip


def top1(*correct: int, images: int = 200) -> Measurement:
    return Measurement(
        quantity="top1", value=sum(correct) / len(correct) / images * 100, low=0, high=100,
        unit="%", protocol={}, detail={"correct": list(correct), "count": [images] * len(correct)},
    )  # fmt: skip


def test_one_measurement_is_itself() -> None:
    found = aggregated([latency(3.0, 0.2)])
    assert (found.low, found.value, found.high) == (2.8, 3.0, 3.2)


def test_more_of_the_same_are_more_precise() -> None:
    found = aggregated([latency(3.0, 0.2)] * 4)
    assert found.value == 3.0
    assert found.high - found.value == pytest.approx(0.2 / math.sqrt(4))
    assert found.value - found.low == pytest.approx(0.2 / math.sqrt(4))


def test_measurements_that_disagree_stay_inside_the_interval() -> None:
    found = aggregated([latency(3.0, 0.01), latency(4.0, 0.01)])
    assert (found.low, found.value, found.high) == (3.0, 3.5, 4.0)


def test_seeds_of_all_trainings_have_one_interval() -> None:
    """Accuracies 50, 51 and 52 %: standard error 1 / sqrt(3), t of two degrees of freedom 4.303."""
    found = aggregated([top1(100), top1(102, 104)])
    assert found.value == pytest.approx(51)
    assert found.high - found.value == pytest.approx(4.303 / math.sqrt(3), rel=1e-3)
    assert aggregated([top1(200), top1(200, 190)]).high == 100.0


def test_what_an_interval_is_over() -> None:
    assert interval_over([top1(100)]) == "200 images"
    assert interval_over([top1(100, 102)]) == "2 seeds"
    assert interval_over([top1(100), top1(102, 104)]) == "3 seeds"
    assert interval_over([latency(3.0, 0.2)]) == interval_over([]) == ""
