"""Intervals of medians, means and shares, and what may be said about two medians.

The interval of a median is distribution-free: two order statistics of the sample, chosen by the
binomial law of the number of samples below the true median (Conover, Practical Nonparametric
Statistics, section 3.2). It supposes independent samples; separated blocks come near to that.

SciPy is imported where it is needed: most commands compute no interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, median, stdev
from typing import NamedTuple

CONFIDENCE = 0.95


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
    from scipy.special import bdtr

    # tails[k]: P(at most k of `count` samples lie below the median)
    tails = bdtr(range(count // 2 + 1), count, 0.5)
    rank = int((2 * tails <= 1 - confidence).sum())
    coverage = 1 - 2 * float(tails[max(rank, 1) - 1])
    return max(rank, 1), max(coverage, 0.0)


def mean_interval(values: Sequence[float]) -> Interval:
    """Student's 95 % interval of the mean of at least two values, such as accuracies of seeds."""
    from scipy.special import stdtrit

    if len(values) < 2:
        raise ValueError(f"{len(values)} values have no spread; at least two are needed")
    quantile = float(stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2))
    half = quantile * stdev(values) / math.sqrt(len(values))
    return Interval(fmean(values) - half, fmean(values) + half, CONFIDENCE)


def wilson_interval(correct: int, count: int) -> Interval:
    """The 95 % interval of an accuracy, in percent.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical
    inference", JASA 22, 1927.

    Args:
        correct: 0 to `count`.
        count: at least 1.
    """
    if not 0 <= correct <= count or count == 0:
        raise ValueError(f"{correct} of {count} is no accuracy")
    return wilson_interval_of_share(correct / count, count)


def wilson_interval_of_share(share: float, count: float) -> Interval:
    """Wilson's 95 % interval, in percent, of a share as well known as one of `count` trials.

    Args:
        share: 0 to 1.
        count: above 0; need not be whole.
    """
    square = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) ** 2 / count
    centre = (share + square / 2) / (1 + square)
    half = math.sqrt(square * (share * (1 - share) + square / 4)) / (1 + square)
    low, high = max(centre - half, 0.0), min(centre + half, 1.0)
    # Its ends hold the share, which rounding must not take from them.
    return Interval(100 * min(low, share), 100 * max(high, share), CONFIDENCE)


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


class Ratio(NamedTuple):
    """A ratio and its interval."""

    value: float
    interval: Interval


def ratio_of_pairs(
    blocks_a: Sequence[Sequence[float]],
    blocks_b: Sequence[Sequence[float]],
    *,
    confidence: float = CONFIDENCE,
) -> Ratio:
    """Median over the pairs of blocks of A's block median over B's.

    The interval is two order statistics of the pairs' ratios: samples inside a block are not
    independent of each other; a pair counts as one observation.

    Args:
        blocks_a: samples of A, block by block.
        blocks_b: samples of B; block i was timed right after block i of A, so that a slow change
            of the machine, which both see, cancels in their ratio.
        confidence: with which the interval is to hold the ratio.
    """
    if len(blocks_a) != len(blocks_b) or not blocks_a:
        raise ValueError(f"{len(blocks_a)} blocks of A and {len(blocks_b)} of B make no pairs")
    ratios = [median(a) / median(b) for a, b in zip(blocks_a, blocks_b, strict=True)]
    return Ratio(median(ratios), median_interval(ratios, confidence=confidence))
