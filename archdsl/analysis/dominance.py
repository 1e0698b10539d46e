"""Pareto dominance of plain points; the views of `archdsl/store/front.py` say the same in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from archdsl.metrics import as_loss

Point = tuple[float, ...]
"""Losses, one for each objective: lower is better in each."""

K = TypeVar("K")


def losses(values: Mapping[str, float], objectives: Mapping[str, str]) -> Point:
    """Values as a point.

    Args:
        values: of at least these objectives.
        objectives: name to `minimize` or `maximize`.
    """
    return tuple(as_loss(values[name], direction) for name, direction in objectives.items())


def no_worse(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether `one` is at least as good as `other` in everything; equal points are."""
    return all(a <= b for a, b in zip(one, other, strict=True))


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether `one` is at least as good as `other` in everything, and better in something."""
    return no_worse(one, other) and not no_worse(other, one)


def nondominated(points: Mapping[K, Point]) -> set[K]:
    """The keys of those points that no other dominates; of equal points all or none."""
    kept: list[tuple[K, Point]] = []
    for key, point in sorted(points.items(), key=lambda item: item[1]):
        # Whatever dominates a point comes before it in this order.
        if not any(dominates(rival, point) for _, rival in kept):
            kept.append((key, point))
    return {key for key, _ in kept}
