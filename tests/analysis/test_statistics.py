"""Intervals against tables, closed forms and simulation."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from statistics import fmean, median, stdev

import pytest

from archdsl.analysis.statistics import (
    mean_interval,
    median_interval,
    percentile,
    ratio_of_pairs,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("count", "rank", "coverage"),
    [
        (6, 1, 0.96875),
        (8, 1, 0.9921875),
        (9, 2, 0.9609375),
        (10, 2, 0.978515625),
        (20, 6, 0.9586105346679688),
        (100, 40, 0.9647997997822952),
    ],
)
def test_the_order_statistics_are_those_of_the_binomial_tables(
    count: int, rank: int, coverage: float
) -> None:
    samples = list(range(1, count + 1))
    random.Random(0).shuffle(samples)
    interval = median_interval(samples)
    assert (interval.low, interval.high) == (rank, count + 1 - rank)
    assert interval.coverage == pytest.approx(coverage, abs=1e-9)


@pytest.mark.parametrize(("count", "coverage"), [(1, 0.0), (2, 0.5), (3, 0.75), (5, 0.9375)])
def test_few_samples_give_their_range_and_say_how_little_it_is_worth(
    count: int, coverage: float
) -> None:
    interval = median_interval([float(i) for i in range(count)])
    assert (interval.low, interval.high) == (0.0, count - 1)
    assert interval.coverage == pytest.approx(coverage)


def test_the_interval_holds_the_median_of_a_skewed_law_as_often_as_it_says() -> None:
    generator = random.Random(1)
    held = 0
    for _ in range(1000):
        interval = median_interval([generator.expovariate(1.0) for _ in range(25)])
        held += interval.low <= math.log(2) <= interval.high
    assert 0.94 <= held / 1000 <= 0.98


def test_large_samples_do_not_overflow() -> None:
    interval = median_interval([i / 20_000 for i in range(20_000)])
    assert 0.49 < interval.low < 0.5 < interval.high < 0.51


def test_percentile_is_a_sample() -> None:
    assert percentile([5.0, 1.0, 3.0], 95) == 5.0
    assert percentile(range(1, 101), 95) == 95
    assert percentile([7.0], 0) == 7.0


# Quantiles of Student's t distribution: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2.
@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.706), (2, 4.303), (10, 2.228), (30, 2.042), (31, 2.040), (60, 2.000), (100, 1.984)],
)
def test_the_interval_of_a_mean_is_students(freedom: int, quantile: float) -> None:
    values = [float(number % 7) for number in range(freedom + 1)]
    interval = mean_interval(values)
    half = stdev(values) / math.sqrt(len(values))
    assert (interval.high - fmean(values)) / half == pytest.approx(quantile, abs=5e-4)
    assert (fmean(values) - interval.low) / half == pytest.approx(quantile, abs=5e-4)


def test_wilson_interval_agrees_with_published_values() -> None:
    # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", 1998, Table I.
    assert wilson_interval(81, 263)[:2] == pytest.approx((25.53, 36.62), abs=0.01)
    assert wilson_interval(15, 148)[:2] == pytest.approx((6.24, 16.05), abs=0.01)
    assert wilson_interval(0, 20)[:2] == pytest.approx((0, 16.11), abs=0.01)
    assert wilson_interval(1, 29)[:2] == pytest.approx((0.61, 17.18), abs=0.01)
    assert wilson_interval(20, 20)[:2] == pytest.approx((83.89, 100), abs=0.01)


@pytest.mark.parametrize(("correct", "count"), [(0, 0), (3, 2), (-1, 2)])
def test_what_is_no_accuracy_has_no_interval(correct: int, count: int) -> None:
    with pytest.raises(ValueError, match="no accuracy"):
        wilson_interval(correct, count)


@pytest.mark.parametrize("function", [median_interval, lambda s: percentile(s, 50), mean_interval])
def test_nothing_is_said_about_no_samples(function: Callable[[list[float]], object]) -> None:
    with pytest.raises(ValueError, match=r"sample|values"):
        function([])


def noisy_blocks(*, seed: int, scale: float, drift: list[float]) -> list[list[float]]:
    generator = random.Random(seed)
    return [[scale * d * generator.gauss(1, 0.01) for _ in range(9)] for d in drift]


def test_a_ratio_is_within_its_interval() -> None:
    a = noisy_blocks(seed=1, scale=9, drift=[1.0] * 12)
    b = noisy_blocks(seed=2, scale=10, drift=[1.0] * 12)
    value, interval = ratio_of_pairs(a, b)
    assert interval.low <= value <= interval.high
    assert 0.88 < interval.low < 0.9 < interval.high < 0.92
    wider = ratio_of_pairs(a, b, confidence=0.99).interval
    assert wider.low <= interval.low and interval.high <= wider.high


def test_a_drift_that_both_see_does_not_widen_the_interval() -> None:
    drift = [1 + step / 12 for step in range(12)]  # the machine slows down to almost half
    a = noisy_blocks(seed=1, scale=9, drift=drift)
    b = noisy_blocks(seed=2, scale=10, drift=drift)
    interval = ratio_of_pairs(a, b).interval
    alone = median_interval([median(block) for block in a])
    assert interval.high / interval.low < 1.03
    assert alone.high / alone.low > 1.3


@pytest.mark.parametrize("pairs", [8, 16, 60])
def test_equal_networks_are_told_apart_as_rarely_as_is_promised(pairs: int) -> None:
    missed = 0
    for seed in range(400):
        a = noisy_blocks(seed=2 * seed, scale=10, drift=[1.0] * pairs)
        b = noisy_blocks(seed=2 * seed + 1, scale=10, drift=[1.0] * pairs)
        low, high, coverage = ratio_of_pairs(a, b).interval
        assert coverage >= 0.95
        missed += not low <= 1 <= high
    assert missed <= 0.07 * 400


def test_unpaired_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="2 blocks of A and 1 of B"):
        ratio_of_pairs([[1.0], [1.0]], [[1.0]])
