"""One value from several measurements of one quantity of one architecture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from archdsl.analysis.statistics import mean_interval
from archdsl.records import Measurement
from archdsl.store.rows import Value


def aggregated(measurements: Sequence[Measurement]) -> Value:
    """The mean of one or more measurements with its 95 % interval.

    Accuracies of trained networks have Student's interval about all their seeds. Of everything
    else the half-widths are added as those of independent measurements; where the measurements lie
    farther apart than that, the interval is widened until it holds all of their values.
    """
    if len(measurements) == 1:
        (only,) = measurements
        return Value(value=only.value, low=only.low, high=only.high)
    seeds = [share for each in measurements for share in _shares(each)]
    if seeds:
        low, high, _ = mean_interval(seeds)
        return Value(value=fmean(seeds), low=max(low, 0.0), high=min(high, 100.0))
    values = [each.value for each in measurements]
    middle = fmean(values)
    below = math.hypot(*(each.value - each.low for each in measurements)) / len(values)
    above = math.hypot(*(each.high - each.value for each in measurements)) / len(values)
    return Value(value=middle, low=min(middle - below, *values), high=max(middle + above, *values))


def _shares(measurement: Measurement) -> list[float]:
    """The accuracy of each seed in percent; none for what was not trained."""
    correct, images = (measurement.detail.get(name, ()) for name in ("correct", "count"))
    if isinstance(images, int):  # of samples, in a latency
        return []
    return [100 * right / whole for right, whole in zip(correct, images, strict=True)]
