"""The hypervolume of a front: how much of the space in front of a reference point it dominates.

Exact for any number of objectives by slicing along the last one (optuna keeps its own function
private); fast enough for the fronts of a search with two or three.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from archdsl.analysis.dominance import Point, losses, no_worse
from archdsl.metrics import as_loss
from archdsl.records import State
from archdsl.store.rows import StudyRow, Trial


@dataclass(frozen=True, kw_only=True)
class Growth:
    """The hypervolume of a study over its complete trials, in the order they were finished.

    Args:
        reference: the point it is measured from, objective to value.
        reference_from: what that is: the one that the study states, the base's values, or the worst
            value of each objective, where the base has come to an end without values.
        series: number of the trial, and the hypervolume once that was finished, in the product of
            the objectives' units.
    """

    reference: Mapping[str, float]
    reference_from: Literal["study", "base", "worst"]
    series: Sequence[tuple[int, float]]

    @property
    def stated(self) -> bool:
        """Whether the study says the reference."""
        return self.reference_from == "study"

    @property
    def value(self) -> float:
        """The hypervolume of all trials; 0 where none is better than the reference."""
        return self.series[-1][1] if self.series else 0.0

    @property
    def last_grew(self) -> int | None:
        """The trial that last made it larger; None while it is 0."""
        return next((number for number, value in self.series if value == self.value > 0), None)


def growth(
    study: StudyRow, trials: Sequence[Trial], *, stated: Mapping[str, float] | None
) -> Growth | None:
    """The hypervolume of a study over time.

    Args:
        study: whose objectives are taken.
        trials: all of it.
        stated: the reference that the study states, if it does.

    Returns:
        The growth; None where the study states no reference and has no base, or one that runs, and
        where nothing is complete.
    """
    complete = [trial for trial in trials if trial.state is State.COMPLETE]
    found = _reference(study, trials, complete, stated=stated)
    if found is None:
        return None
    reference_from, reference = found
    corner = losses(reference, study.objectives)
    front: list[Point] = []
    series: list[tuple[int, float]] = []
    volume = 0.0
    for trial in sorted(complete, key=lambda each: each.finish_order or 0):
        point = losses({name: each.value for name, each in trial.values.items()}, study.objectives)
        inside = all(loss < worst for loss, worst in zip(point, corner, strict=True))
        if inside and not any(no_worse(member, point) for member in front):
            front = [member for member in front if not no_worse(point, member)] + [point]
            volume = hypervolume(front, corner)
        series.append((trial.number, volume))
    return Growth(reference=reference, reference_from=reference_from, series=series)


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """Volume of what lies between the points and the reference.

    Args:
        points: losses, lower is better; those that are not better than the reference in every
            objective add nothing.
        reference: the worst corner.
    """
    inside = [p for p in points if all(a < b for a, b in zip(p, reference, strict=True))]
    return _volume(sorted(inside, key=lambda point: point[-1]), reference)


def _volume(points: Sequence[Point], reference: Point) -> float:
    """`points`: all better than the reference, ordered by their last coordinate."""
    if not points:
        return 0.0
    if len(reference) == 1:
        return reference[0] - points[0][0]
    total = 0.0
    if len(reference) == 2:  # one sweep
        best = reference[0]
        for loss, height in points:
            if loss < best:
                total += (best - loss) * (reference[1] - height)
                best = loss
        return total
    ends = [point[-1] for point in points[1:]] + [reference[-1]]
    for count, (point, end) in enumerate(zip(points, ends, strict=True), start=1):
        if end > point[-1]:
            slab = [each[:-1] for each in points[:count]]
            total += (end - point[-1]) * hypervolume(slab, reference[:-1])
    return total


def _reference(
    study: StudyRow,
    trials: Sequence[Trial],
    complete: Sequence[Trial],
    *,
    stated: Mapping[str, float] | None,
) -> tuple[Literal["study", "base", "worst"], Mapping[str, float]] | None:
    """What is stated, the values of trial 0, which is the base where the study has one, or the
    worst there are."""
    if stated:
        return "study", stated
    base = next((trial for trial in trials if trial.number == 0), None)
    if base is None or not study.document.get("base"):
        return None
    if base.values:
        return "base", {name: base.values[name].value for name in study.objectives}
    if base.state is State.RUNNING or not complete:
        return None
    worst = {
        name: max(
            (trial.values[name].value for trial in complete),
            key=lambda value: as_loss(value, direction),
        )
        for name, direction in study.objectives.items()
    }
    return "worst", worst
