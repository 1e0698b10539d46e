"""Which trials cannot be told apart: their 95 % intervals overlap in every objective.

A trial on the robust front that another beats in point values is always among them: whatever beats
it there without removing it overlaps it in every objective.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

from archdsl.store.rows import Trial

REASON = "their 95 % intervals overlap in every objective"

Flags = npt.NDArray[np.bool_]


class Others(Sequence[int]):
    """Numbers of the trials that one trial cannot be told apart from, in ascending order.

    Thousands of trials that are all indistinguishable make millions of pairs, so only how many
    others there are is kept: which ones they are is found when they are looked at.
    """

    def __init__(self, intervals: _Intervals, place: int, count: int) -> None:
        self._intervals, self._place, self._count = intervals, place, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[int, ...]: ...
    def __getitem__(self, place: int | slice) -> int | tuple[int, ...]:
        return tuple(self)[place]

    def __iter__(self) -> Iterator[int]:
        intervals = self._intervals
        found: list[int] = intervals.numbers[intervals.others(self._place)].tolist()
        return iter(found)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]


class _Intervals:
    """The intervals of some trials, ordered by number, all objectives side by side."""

    def __init__(self, trials: Sequence[Trial], members: Collection[int] | None) -> None:
        ordered = sorted(trials, key=lambda trial: trial.number)
        self.numbers = np.array([trial.number for trial in ordered])
        names = list(ordered[0].values)
        values = [[trial.values[name] for name in names] for trial in ordered]
        self._low = np.array([[value.low for value in row] for row in values]).T
        self._high = np.array([[value.high for value in row] for row in values]).T
        self._uncertain: Flags = np.any(self._low < self._high, axis=0)
        self._member: Flags = np.array(
            [members is None or trial.number in members for trial in ordered]
        )

    def others(self, place: int) -> Flags:
        """(trials,): whether the trial at a place cannot be told apart from each of them."""
        found = np.ones(len(self.numbers), dtype=bool)
        for low, high in zip(self._low, self._high, strict=True):
            found &= (low <= high[place]) & (high >= low[place])
        if not self._uncertain[place]:
            found &= self._uncertain
        if not self._member[place]:
            found &= self._member
        found[place] = False
        return found


def indistinguishable(
    trials: Sequence[Trial], *, members: Collection[int] | None = None
) -> dict[int, Sequence[int]]:
    """Number of each trial that cannot be told apart from some other, to the numbers of those.

    Trials that are equal for certain, without an interval in any objective, are not meant: no
    further measurement would part them.

    Args:
        trials: with a value for each objective.
        members: numbers of trials; of any two that are indistinguishable at least one is among
            them. None means all.
    """
    if not trials:
        return {}
    intervals = _Intervals(trials, members)
    counts = [int(np.count_nonzero(intervals.others(i))) for i in range(len(trials))]
    return {
        int(number): Others(intervals, place, count)
        for place, (number, count) in enumerate(zip(intervals.numbers, counts, strict=True))
        if count
    }
