"""Medians, their intervals, and what may be said about two of them. Pure Python.

The interval of a median is distribution-free: two order statistics of the sample, chosen by the
binomial law of the number of samples below the true median (Conover, Practical Nonparametric
Statistics, section 3.2). It supposes independent samples; separated blocks come near to that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median, stdev
from typing import NamedTuple

CONFIDENCE = 0.95

_STUDENT_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""97.5 % quantiles of Student's t distribution for 1 to 30 degrees of freedom."""


class Interval(NamedTuple):
    """An interval and the probability with which it holds the true value."""

    low: float
    high: float
    coverage: float


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that at least `percent` % of the samples do not exceed (nearest rank)."""
    if not samples:
        raise ValueError("no samples")
    return sorted(samples)[max(math.ceil(len(samples) * percent / 100), 1) - 1]


def median_interval(samples: Sequence[float], *, confidence: float = CONFIDENCE) -> Interval:
    """The narrowest symmetric pair of order statistics that holds the median with `confidence`.

    No pair of fewer than six samples does with 95 %: the answer is then their range, and
    `coverage` tells how little that is worth (0 for one sample).
    """
    if not samples:
        raise ValueError("no samples")
    rank, coverage = _median_rank(len(samples), confidence)
    ordered = sorted(samples)
    return Interval(ordered[rank - 1], ordered[-rank], coverage)


def _median_rank(count: int, confidence: float) -> tuple[int, float]:
    """Rank of the lower end (from 1), and how often the interval holds the median."""
    tail = 0.0  # P(fewer than `rank` of `count` samples lie below the median)
    for rank in range(1, count // 2 + 2):
        term = math.exp(_log_choose(count, rank - 1) - count * math.log(2))
        if 2 * (tail + term) > 1 - confidence:
            return (rank - 1, 1 - 2 * tail) if rank > 1 else (1, max(1 - 2 * term, 0.0))
        tail += term
    raise AssertionError("the two tails of a binomial law together exceed any doubt at its middle")


def _log_choose(count: int, chosen: int) -> float:
    return math.lgamma(count + 1) - math.lgamma(chosen + 1) - math.lgamma(count - chosen + 1)


def mean_interval(values: Sequence[float]) -> Interval:
    """Student's 95 % interval of the mean of at least two values, such as accuracies of seeds."""
    if len(values) < 2:
        raise ValueError(f"{len(values)} values have no spread; at least two are needed")
    freedom = len(values) - 1
    quantile = _STUDENT_T[freedom - 1] if freedom <= len(_STUDENT_T) else _STUDENT_T[-1]
    half = quantile * stdev(values) / math.sqrt(len(values))
    return Interval(fmean(values) - half, fmean(values) + half, CONFIDENCE)


def blocks_interval(blocks: Sequence[Sequence[float]]) -> Interval:
    """An interval of the median for samples taken in blocks.

    Samples of one block resemble each other more than those of another, so the interval of all
    samples together promises too much. It is widened to hold Student's interval of the block
    medians, but not beyond the samples themselves.

    Args:
        blocks: samples, block by block; each holds at least one.
    """
    samples = [sample for block in blocks for sample in block]
    low, high, coverage = median_interval(samples)
    if len(blocks) > 1:
        between = mean_interval([median(block) for block in blocks])
        low = max(min(low, between.low), min(samples))
        high = min(max(high, between.high), max(samples))
    return Interval(low, high, coverage)


def ratio_of_pairs(
    blocks_a: Sequence[Sequence[float]], blocks_b: Sequence[Sequence[float]]
) -> float:
    """Median over the pairs of blocks of A's block median over B's.

    Args:
        blocks_a: samples of A, block by block.
        blocks_b: samples of B; block i was timed right after block i of A, so that a slow change
            of the machine, which both see, cancels in their ratio.
    """
    return median(_ratios(blocks_a, blocks_b))


def ratio_interval(
    blocks_a: Sequence[Sequence[float]],
    blocks_b: Sequence[Sequence[float]],
    *,
    confidence: float = CONFIDENCE,
) -> Interval:
    """The interval of `ratio_of_pairs`: two order statistics of the pairs' ratios.

    Samples inside a block are not independent of each other; a pair counts as one observation.

    Args:
        blocks_a: as for `ratio_of_pairs`.
        blocks_b: as for `ratio_of_pairs`.
        confidence: with which it is to hold the ratio.
    """
    return median_interval(_ratios(blocks_a, blocks_b), confidence=confidence)


def _ratios(
    blocks_a: Sequence[Sequence[float]], blocks_b: Sequence[Sequence[float]]
) -> list[float]:
    if len(blocks_a) != len(blocks_b) or not blocks_a:
        raise ValueError(f"{len(blocks_a)} blocks of A and {len(blocks_b)} of B make no pairs")
    return [median(a) / median(b) for a, b in zip(blocks_a, blocks_b, strict=True)]
