"""Samples of one or several things in turns, so that all of them see the same machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
"""What is taken of each thing in a round: a block of samples, or one sample."""


@dataclass(frozen=True, kw_only=True)
class Rounds(Generic[T]):
    """Rounds, each of one `T` for each thing, in their order.

    Args:
        kept: that count.
        discarded: that were disturbed, where enough others were not.
        undisturbed: enough rounds were; else the kept ones are all that were taken.
    """

    kept: Sequence[tuple[T, ...]]
    discarded: Sequence[tuple[T, ...]] = ()
    undisturbed: bool = True


def take_rounds(
    takes: Sequence[Callable[[], T]],
    *,
    enough: Callable[[Sequence[tuple[T, ...]]], bool],
    disturbed: Callable[[T], object] = lambda taken: False,
    give_up: Callable[[Sequence[tuple[T, ...]], int], bool] = lambda taken, undisturbed: False,
) -> Rounds[T]:
    """Take rounds until there are enough that nothing disturbed.

    Args:
        takes: takes one `T` of each thing.
        enough: whether undisturbed rounds are; asked before each further round.
        disturbed: whether a `T` is not to be trusted; asked again and again, for what comes later
            may tell more of what was taken before.
        give_up: whether it is no use to go on, from all rounds taken and the number of those that
            nothing disturbed.
    """
    taken: list[tuple[T, ...]] = []
    while True:
        calm = [each for each in taken if not any(map(disturbed, each))]
        if enough(calm):
            rest = [each for each in taken if each not in calm]
            return Rounds(kept=calm, discarded=rest)
        if give_up(taken, len(calm)):
            return Rounds(kept=taken, undisturbed=False)
        taken.append(tuple(take() for take in takes))
