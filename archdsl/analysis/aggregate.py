"""One value from several measurements of one quantity of one architecture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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


def interval_over(measurements: Sequence[Measurement]) -> str:
    """What the interval of a trained value is over, `3 seeds` or `359 images`: one training's says
    what other images would give, that of several what other trainings would. Empty where no images
    were counted."""
    counts = [images for each in measurements for images in _images(each)]
    return f"{len(counts)} seeds" if len(counts) > 1 else "".join(f"{n:,} images" for n in counts)


def intervals_over(samples: Mapping[str, Sequence[Measurement]]) -> dict[str, str]:
    """Of all measurements behind each objective; those without an answer are left out."""
    overs = {name: interval_over(behind) for name, behind in samples.items()}
    return {name: over for name, over in overs.items() if over}


def _shares(measurement: Measurement) -> list[float]:
    """The accuracy of each seed in percent; none for what was not trained."""
    correct, images = measurement.detail.get("correct", ()), _images(measurement)
    return [100 * right / whole for right, whole in zip(correct, images, strict=True)]


def _images(measurement: Measurement) -> Sequence[int]:
    """How many images each seed was scored on; none for what was not trained."""
    images: int | Sequence[int] = measurement.detail.get("count", ())
    return () if isinstance(images, int) else images  # of samples, in a latency
