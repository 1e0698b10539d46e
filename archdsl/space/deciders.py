"""Ways to fill holes without a sampler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archdsl.document.tree import Scalar
from archdsl.space.holes import Decider, Hole


class FirstOption:
    """The first option of every hole, but the forced one of those named."""

    def __init__(self, forced: Mapping[str, int]) -> None:
        self._forced = forced

    def decide(self, hole: Hole) -> int:
        return self._forced.get(hole.name, 0)


class Odometer:
    """Every way to decide, one after the other: the last hole asked turns fastest."""

    def __init__(self) -> None:
        self._digits: list[int] = []
        self._bases: list[int] = []
        self._position = 0

    def decide(self, hole: Hole) -> int:
        if self._position == len(self._digits):
            self._digits.append(0)
            self._bases.append(0)
        self._bases[self._position] = len(hole.options)
        self._position += 1
        return self._digits[self._position - 1]

    def turns(self) -> Iterator[Odometer]:
        """Yields itself once for every way; fill the space once for each turn."""
        while True:
            self._position = 0
            yield self
            del self._digits[self._position :], self._bases[self._position :]
            while self._digits and self._digits[-1] + 1 == self._bases[-1]:
                self._digits.pop()
                self._bases.pop()
            if not self._digits:
                return
            self._digits[-1] += 1


class Recorder:
    """Asks another decider and keeps what was asked and what it said.

    Args:
        decider: the one that decides.
    """

    def __init__(self, decider: Decider) -> None:
        self._decider = decider
        self.holes: list[Hole] = []
        self.params: dict[str, Scalar] = {}

    def decide(self, hole: Hole) -> int:
        index = self._decider.decide(hole)
        self.holes.append(hole)
        self.params[hole.name] = hole.labels[index]
        return index
