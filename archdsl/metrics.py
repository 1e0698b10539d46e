"""What can be measured, bounded and aimed at: one table, which every room reads.

What a training makes of a metric is in `archdsl.training.tasks`, under the same name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Direction = Literal["minimize", "maximize"]
Source = Literal["plan", "measuring", "training"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One quantity: how it is written and shown, and where it comes from.

    Args:
        unit: of stored values.
        units: units that people may write, each with its size in `unit`.
        direction: the better one.
        bounds: the least and the greatest value there can be.
        source: `plan`: counted; `measuring`: the network is run; `training`: it is trained, and
            scored on validation images, members of a finished front also on test images.
        meaning: one line for a person.
        evaluated: what a study's `evaluate` says by this name; nothing for what is counted.
    """

    unit: str
    units: Mapping[str, float] = field(default_factory=lambda: {"": 1.0})
    direction: Direction
    bounds: tuple[float, float] = (0.0, math.inf)
    source: Source
    meaning: str
    evaluated: str = ""

    @property
    def best(self) -> float:
        """The bound that no value can be better than."""
        return self.bounds[0] if self.direction == "minimize" else self.bounds[1]


METRICS: Mapping[str, Metric] = {
    "latency": Metric(
        unit="ms",
        units={"ms": 1.0, "s": 1e3, "us": 1e-3, "µs": 1e-3},
        direction="minimize",
        source="measuring",
        meaning="median time of one batch",
        evaluated="Time of one batch on a named device.",
    ),
    "memory": Metric(
        unit="MiB",
        units={"MiB": 1.0, "GiB": 1024.0, "KiB": 1 / 1024},
        direction="minimize",
        source="measuring",
        meaning="peak memory of one batch",
        evaluated=(
            "Peak memory of one batch: weights, images and what the call needs beside them."
        ),
    ),
    "throughput": Metric(
        unit="images/s",
        units={"images/s": 1.0},
        direction="maximize",
        source="measuring",
        meaning="images over median time",
        evaluated="Images in a second, of one batch after the other.",
    ),
    "top1": Metric(
        unit="%",
        units={"%": 1.0},
        direction="maximize",
        bounds=(0.0, 100.0),
        source="training",
        meaning="validation accuracy",
        evaluated="Validation accuracy after a training.",
    ),
    "top5": Metric(
        unit="%",
        units={"%": 1.0},
        direction="maximize",
        bounds=(0.0, 100.0),
        source="training",
        meaning="validation images whose class is among the five likeliest",
        evaluated=(
            "Share of the validation images whose class is among the five likeliest, after a "
            "training; of six classes and more."
        ),
    ),
    "balanced_accuracy": Metric(
        unit="%",
        units={"%": 1.0},
        direction="maximize",
        bounds=(0.0, 100.0),
        source="training",
        meaning="validation accuracy, the mean over the classes",
        evaluated="Mean over the classes of the validation accuracy after a training.",
    ),
    "f1": Metric(
        unit="%",
        units={"%": 1.0},
        direction="maximize",
        bounds=(0.0, 100.0),
        source="training",
        meaning="validation F1, the mean over the classes",
        evaluated=(
            "Mean over the classes of F1 (the harmonic mean of precision and recall) on validation "
            "images, after a training."
        ),
    ),
    "params": Metric(unit="", direction="minimize", source="plan", meaning="parameters in use"),
    "params_m": Metric(
        unit="M",
        units={"": 1.0, "M": 1.0},
        direction="minimize",
        source="plan",
        meaning="the same in millions",
    ),
    "macs": Metric(
        unit="", direction="minimize", source="plan", meaning="multiply-adds for one image"
    ),
    "macs_g": Metric(
        unit="G",
        units={"": 1.0, "G": 1.0},
        direction="minimize",
        source="plan",
        meaning="the same in billions",
    ),
}

MEASURED = tuple(name for name, metric in METRICS.items() if metric.source != "plan")
"""What a study's `evaluate` may name."""
TRAINED = tuple(name for name, metric in METRICS.items() if metric.source == "training")
"""What takes a training, one for all of them; the first one is what a study is about that names
none."""


def trained_metrics(names: Iterable[str]) -> list[str]:
    """Those of `names` that take a training, in the order they are evaluated in."""
    given = frozenset(names)
    return [name for name in TRAINED if name in given]


def trained_metric(names: Iterable[str]) -> str | None:
    """The first of `names` that takes a training: the one that a training is followed by."""
    return next(iter(trained_metrics(names)), None)


def trained_for(evaluate: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The first metric that a study trains networks for; None where nothing is, or tables know it.

    Args:
        evaluate: of the study's document.
    """
    return next((name for name in TRAINED if "data" in evaluate.get(name, {})), None)


def as_loss(value: float, direction: str) -> float:
    """An objective's value turned so that less is better.

    Args:
        value: of the objective.
        direction: which is better: `minimize` or `maximize`.
    """
    return value if direction == "minimize" else -value


def relative_excess(excess: float, limit: float, *, at_zero: float) -> float:
    """By how much a limit is broken, relative to the limit.

    Args:
        excess: by how much, in the unit of the limit; 0 where it is kept.
        limit: the limit.
        at_zero: what it is relative to where the limit is 0.
    """
    return excess / (abs(limit) or at_zero)


def on_test_images(name: str) -> str:
    """What a trained metric is stored as where test images are scored: `test_top1`."""
    return f"test_{name}"
