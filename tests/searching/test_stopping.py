"""The rules that stop trainings, as functions of curves, and over the curves of real trainings."""

from __future__ import annotations

import importlib.util
import statistics
import sys
from math import nan
from pathlib import Path
from typing import Any

import pytest

from archdsl.metrics import Direction
from archdsl.searching.stopping import EVIDENCE, AshaStopping, FrontStopping, Outlook, beaten_by

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "early_stopping.py"
CURVES = BENCHMARK.with_name("digits-curves.json")
HALVING = [60.0, 80.0, 90.0]


def taught(*curves: list[float], epochs: int = 3, seeds: int = 1) -> Outlook:
    outlook = Outlook(epochs=epochs, best=100.0, seeds=seeds)
    for curve in curves:
        outlook.add(curve)
    return outlook


def test_the_guess_is_the_greatest_fall_of_the_error_seen() -> None:
    # From the first epoch on errors fell to a quarter, but for one, which fell to an eighth.
    outlook = taught(*[HALVING] * (EVIDENCE - 1), [60.0, 70.0, 95.0])
    assert outlook.optimistic([20.0]) == pytest.approx(100 - 80 / 8)
    assert outlook.optimistic([20.0, 70.0]) == pytest.approx(100 - 30 / 6)
    assert outlook.optimistic([20.0, 10.0]) == pytest.approx(100 - 80 / 6), "of the best so far"


def test_one_in_twenty_may_have_been_a_fluke() -> None:
    flukes = [[60.0, 80.0, 100.0]]
    assert taught(*[HALVING] * 18, *flukes).optimistic([20.0]) == 100
    assert taught(*[HALVING] * 19, *flukes).optimistic([20.0]) == pytest.approx(80)


def test_nothing_is_said_without_evidence() -> None:
    few = [HALVING] * (EVIDENCE - 1)
    assert taught(*few).optimistic([20.0]) is None
    assert taught(*few, HALVING[:2]).optimistic([20.0]) is None, "cut short"
    assert taught(*few, [60.0, nan, 90.0]).optimistic([20.0]) is None, "not a number"
    enough = taught(*few, HALVING)
    assert enough.optimistic([20.0]) == pytest.approx(80)
    assert enough.optimistic([]) is None
    assert enough.optimistic([20.0, nan]) is None


def test_a_training_without_errors_says_that_nothing_is_gained() -> None:
    perfect = taught(*[[100.0, 100.0, 100.0]] * EVIDENCE)
    assert perfect.optimistic([20.0]) == 20
    assert perfect.optimistic([100.0]) == 100


def test_several_seeds_are_one_curve_after_the_other() -> None:
    outlook = taught(*[[*HALVING, *HALVING]] * EVIDENCE, seeds=2)
    assert outlook.optimistic([20.0]) == pytest.approx(80), "the other seed as good as the first"
    assert outlook.optimistic([20.0, 60.0, 70.0]) == pytest.approx(70), "known, not guessed"
    assert outlook.optimistic([20.0, 60.0, 70.0, 60.0]) == pytest.approx((70 + 90) / 2)
    assert not outlook.is_whole([1.0] * 5)
    assert outlook.is_whole([1.0] * 6)


DIRECTIONS: dict[str, Direction] = {
    "latency": "minimize",
    "throughput": "maximize",
    "top1": "maximize",
}
RIVALS = {
    3: {"latency": 2.0, "throughput": 50.0, "top1": 80.0},
    7: {"latency": 1.0, "throughput": 60.0, "top1": 81.0},
    9: {"latency": 4.0, "throughput": 90.0, "top1": 90.0},
}


@pytest.mark.parametrize(
    ("latency", "throughput", "top1", "by"),
    [
        (2.0, 50.0, 75.0, 7),  # the most accurate of two
        (2.0, 50.0, 79.5, 7),
        (2.0, 50.0, 80.5, None),  # by less than the margin
        (0.9, 50.0, 75.0, None),
        (4.0, 95.0, 75.0, None),
        (4.0, 90.0, 85.0, 9),
    ],
)
def test_what_beats_a_hope(latency: float, throughput: float, top1: float, by: int | None) -> None:
    hoped = {"latency": latency, "throughput": throughput, "top1": top1}
    assert beaten_by(hoped, RIVALS, metric="top1", directions=DIRECTIONS, margin=1.0) == by


def test_rungs() -> None:
    rule = AshaStopping(type="asha", reduction=3, earliest=2)
    assert [epoch for epoch in range(1, 60) if rule.is_rung(epoch)] == [2, 6, 18, 54]


def test_the_best_share_goes_on_from_a_rung() -> None:
    rule = AshaStopping(type="asha", reduction=3)
    assert rule.keeps(1.0, [1.0])
    assert not rule.keeps(1.0, [1.0, 2.0]), "one place for fewer than three, too"
    assert rule.keeps(5.0, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert not rule.keeps(4.0, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert rule.keeps(4.0, [4.0, 4.0, 4.0]), "equal ones are not told apart"


@pytest.fixture(scope="module")
def benchmark() -> Any:
    if not CURVES.exists():
        pytest.skip("the recorded curves lie beside the source only")
    spec = importlib.util.spec_from_file_location("early_stopping", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_recorded_trainings_are_shortened_and_the_front_stays(benchmark: Any) -> None:
    recorded = benchmark.read(CURVES)
    assert len(recorded) >= 60
    rule = FrontStopping(type="front")
    rows = benchmark.replays(recorded, lambda order: benchmark.replay_front(order, rule), orders=50)
    medians = {what: statistics.median(row[what] for row in rows) for what in rows[0]}
    assert medians["epochs saved"] >= 0.3
    assert medians["hypervolume from beyond the front"] >= 0.99
    assert medians["hypervolume from the base"] >= 0.99
    assert medians["of these, by mistake"] <= 0.02
