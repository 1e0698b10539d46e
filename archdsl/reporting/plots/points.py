"""What a picture of a front is made of: its points and its two axes."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeVar

from archdsl.errors import ArchdslError
from archdsl.metrics import METRICS, as_loss
from archdsl.reporting.formatting import with_interval
from archdsl.reporting.front import CompleteTrial, StudyResults, describe_hypervolume
from archdsl.searching.baselines import MeasuredBaseline
from archdsl.store.rows import StudyRow, Value


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One objective.

    Args:
        objective: its name, such as `latency`.
        goal: `minimize` or `maximize`.
    """

    objective: str
    goal: str

    @property
    def minimize(self) -> bool:
        """Whether less is better."""
        return self.goal == "minimize"

    @property
    def unit(self) -> str:
        """`ms`, `%`; empty for what is counted."""
        return METRICS[self.objective].unit

    @property
    def heading(self) -> str:
        """`latency (ms)`."""
        return f"{self.objective} ({self.unit})" if self.unit else self.objective

    @property
    def better(self) -> str:
        """Which way is better."""
        return f"{'lower' if self.minimize else 'higher'} is better"

    def value(self, row: CompleteTrial) -> Value:
        """Of a trial; an end of its interval that is nowhere cannot be drawn, and is left out."""
        found = row.trial.values[self.objective]
        low, high = (end if isfinite(end) else found.value for end in (found.low, found.high))
        return Value(value=found.value, low=low, high=high)

    def shown(self, row: CompleteTrial) -> str:
        """A trial's value with its interval, and what that is over."""
        return with_interval(self.value(row), row.over.get(self.objective, ""))

    def loss(self, row: CompleteTrial) -> float:
        """A trial's value, the less the better."""
        return as_loss(row.trial.values[self.objective].value, self.goal)


def axes_of(study: StudyRow) -> dict[str, Axis]:
    """Each objective's axis."""
    return {name: Axis(objective=name, goal=goal) for name, goal in study.objectives.items()}


@dataclass(frozen=True, kw_only=True)
class FrontPoint:
    """One trial in the picture."""

    row: CompleteTrial
    x: Value
    y: Value

    @property
    def place(self) -> tuple[float, float]:
        """Where its mark is, in data coordinates."""
        return self.x.value, self.y.value


def points_of(rows: Iterable[CompleteTrial], *, x: Axis, y: Axis) -> list[FrontPoint]:
    """The trials by their values on both axes."""
    return [FrontPoint(row=row, x=x.value(row), y=y.value(row)) for row in rows]


@dataclass(frozen=True, kw_only=True)
class BaselinePoint:
    """A model of timm's in the picture."""

    name: str
    x: Value
    y: Value


def baseline_points(found: Iterable[MeasuredBaseline], *, x: Axis, y: Axis) -> list[BaselinePoint]:
    """Those that are measured on both axes."""
    return [
        BaselinePoint(name=each.name, x=each.values[x.objective], y=each.values[y.objective])
        for each in found
        if {x.objective, y.objective} <= each.values.keys()
    ]


def plot_arguments(results: StudyResults, *, published: bool = False) -> dict[str, Any]:
    """What a plot of the first two objectives is made of, as a page or as a picture.

    Args:
        results: of at least two objectives.
        published: with the paper's own points on a panel of their own.

    Raises:
        ArchdslError: the study has one objective.
    """
    study = results.study
    x, *others = axes_of(study).values()
    if not others:
        raise ArchdslError(
            f"a plot of the front needs two objectives, and '{study.name}' has one, "
            f"{x.objective}; `archdsl report` shows how it got better"
        )
    notes = [*filter(None, (results.conditions, results.intervals)), describe_hypervolume(results)]
    if len(study.objectives) > 2:
        notes.insert(0, _projection(study.objectives))
    return {
        "rows": results.rows,
        "x": x,
        "y": others[0],
        "title": f"front of {study.name}",
        "note": "; ".join(notes),
        "published": published,
        "baselines": results.baselines,
    }


def _projection(objectives: Iterable[str]) -> str:
    """What a picture of the first two of more objectives leaves out."""
    drawn, rest = [*objectives][:2], [*objectives][2:]
    return (
        f"a projection onto {' and '.join(drawn)}: members that look dominated are better in "
        f"{' or '.join(rest)} (archdsl report draws every two objectives)"
    )


T = TypeVar("T")


def thinned(rows: Sequence[CompleteTrial], *, most: int) -> list[CompleteTrial]:
    """At most about `most` of them, in their order: members and the base, then those that cannot
    be told apart from a member, then a fixed random part of the others."""
    kept = {place for place, each in enumerate(rows) if each.member or each.base}
    others = [place for place in range(len(rows)) if place not in kept]
    random.Random(0).shuffle(others)
    others.sort(key=lambda place: not rows[place].indistinguishable)
    kept.update(others[: max(0, most - len(kept))])
    return [each for place, each in enumerate(rows) if place in kept]


def spread(members: Sequence[T], *, most: int) -> list[T]:
    """All of them; of more than `most`, so many at equal distances, the first and last included."""
    if len(members) <= most:
        return list(members)
    return [members[round(i * (len(members) - 1) / (most - 1))] for i in range(most)]
