"""What a picture of a front is made of: its points and its two axes."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar


@dataclass(frozen=True, kw_only=True)
class FrontPoint:
    """One candidate with both values measured.

    Args:
        label: short name, such as the number of the trial; written beside members and the base.
        x: value on the horizontal axis, in the axis's unit.
        x_low: lower end of its 95 % interval; equal to `x` where there is none.
        x_high: upper end of its 95 % interval.
        y: value on the vertical axis, in the axis's unit.
        y_low: lower end of its 95 % interval; equal to `y` where there is none.
        y_high: upper end of its 95 % interval.
        member: no other point is at least as good on both axes and better on one.
        base: the architecture the search started from.
        difference: what distinguishes it from the base, in words; empty for the base.
        indistinguishable: labels of the points it cannot be told apart from.

    Raises:
        ValueError: a value or an end of an interval is NaN or infinite.
    """

    label: str
    x: float
    x_low: float
    x_high: float
    y: float
    y_low: float
    y_high: float
    member: bool
    base: bool
    difference: str
    indistinguishable: Sequence[str | int] = ()

    def __post_init__(self) -> None:
        values = (self.x, self.x_low, self.x_high, self.y, self.y_low, self.y_high)
        if not all(map(math.isfinite, values)):
            raise ValueError(f"point {self.label!r} has a value that is not finite: {values}")


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One objective.

    Args:
        label: what is measured, such as `latency`.
        unit: in what, such as `ms per batch of 256` or `%`.
        minimize: whether less is better.
    """

    label: str
    unit: str
    minimize: bool

    @property
    def heading(self) -> str:
        """`latency (ms per batch of 256)`."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


def best_first(points: Iterable[FrontPoint], *, axis: Axis) -> list[FrontPoint]:
    """The points from the best to the worst value on the horizontal axis."""
    return sorted(points, key=lambda point: point.x if axis.minimize else -point.x)


class Placed(Protocol):
    """What decides whether a candidate must be drawn."""

    @property
    def member(self) -> bool: ...

    @property
    def base(self) -> bool: ...

    @property
    def indistinguishable(self) -> Sequence[object]: ...


T = TypeVar("T")
P = TypeVar("P", bound=Placed)


def thinned(candidates: Sequence[P], *, most: int) -> list[P]:
    """At most about `most` of them, in their order: members and the base, then those that cannot
    be told apart from a member, then a fixed random part of the others."""
    kept = {place for place, each in enumerate(candidates) if each.member or each.base}
    others = [place for place in range(len(candidates)) if place not in kept]
    random.Random(0).shuffle(others)
    others.sort(key=lambda place: not candidates[place].indistinguishable)
    kept.update(others[: max(0, most - len(kept))])
    return [each for place, each in enumerate(candidates) if place in kept]


def spread(members: Sequence[T], *, most: int) -> list[T]:
    """All of them; of more than `most`, so many at equal distances, the first and last included."""
    if len(members) <= most:
        return list(members)
    return [members[round(i * (len(members) - 1) / (most - 1))] for i in range(most)]
