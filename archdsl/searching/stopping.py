"""When a training is stopped early: what a study says about it, and the two rules.

Pure functions of learning curves. A curve holds the value of a trained metric after each epoch:
the validation top-1 in percent, for one. The metric is maximised.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Annotated, Literal

from pydantic import Field

from archdsl.analysis.dominance import losses, no_worse
from archdsl.metrics import Direction
from archdsl.spec.base import StoredNode

Curve = Sequence[float]
Values = Mapping[str, float]
"""Objective to value."""

EVIDENCE = 8
"""Complete trainings before a curve is extrapolated by them."""
UNUSUAL = 0.05
"""Share of the complete trainings that may have made up more than an optimistic guess allows."""


class NoStopping(StoredNode):
    """Every training runs to its end."""

    type: Literal["none"] = "none"


class FrontStopping(StoredNode):
    """Stop what cannot reach the front: a trial's other values are exact before it is trained, and
    even an optimistic guess at its final accuracy lies under a trial that is no worse in them."""

    type: Literal["front"]
    margin: Annotated[float, Field(strict=False, ge=0, le=100, allow_inf_nan=False)] = 0.5
    """Points of top-1 by which the optimistic guess must lie under the front."""
    earliest: Annotated[int, Field(ge=1)] = 3
    """Epoch after which the first trial may be stopped."""


class AshaStopping(StoredNode):
    """Asynchronous successive halving of one objective, top1, by its value at some epochs, the
    rungs: `earliest`, `earliest` * `reduction`, … (Li et al., "A system for massively parallel
    hyperparameter tuning", MLSys 2020; the variant that stops trials instead of pausing them)."""

    type: Literal["asha"]
    reduction: Annotated[int, Field(ge=2)] = 4
    """A trial goes on from a rung if it is in the best 1/`reduction` of all that got there."""
    earliest: Annotated[int, Field(ge=1)] = 1
    """Epoch of the first rung."""

    def is_rung(self, epoch: int) -> bool:
        """Whether trials are compared after this epoch."""
        rung = self.earliest
        while rung < epoch:
            rung *= self.reduction
        return rung == epoch

    def keeps(self, value: float, at_rung: Sequence[float]) -> bool:
        """Whether a trial goes on. At least one does, so the first to get to a rung.

        Args:
            value: its own.
            at_rung: of all trials that got to the rung, its own included.
        """
        places = max(1, len(at_rung) // self.reduction)
        return sum(other > value for other in at_rung) < places


Stopping = Annotated[NoStopping | FrontStopping | AshaStopping, Field(discriminator="type")]


def beaten_by(
    hoped: Values,
    rivals: Mapping[int, Values],
    *,
    metric: str,
    directions: Mapping[str, Direction],
    margin: float,
) -> int | None:
    """The complete trial that is best in a metric among those that are no worse in any other
    objective, if it is better than what is hoped for by `margin` points.

    Args:
        hoped: exact values, and the most that can be hoped for of the metric.
        rivals: number of a complete trial to its values.
        metric: the one that takes a training; all other objectives are exact before it.
        directions: of the objectives.
        margin: at least 0.
    """
    exact = {name: direction for name, direction in directions.items() if name != metric}
    ahead = [
        number
        for number, rival in rivals.items()
        if rival[metric] - hoped[metric] >= margin
        and no_worse(losses(rival, exact), losses(hoped, exact))
    ]
    return max(ahead, key=lambda number: rivals[number][metric], default=None)


class Outlook:
    """Optimistic guesses at the final accuracy of a training, learnt from complete ones.

    Of each complete training it is kept to which share of its error, the least so far, the error
    fell from every epoch to the end. All trainings of a study share recipe, epochs and data, hence
    the stage of the learning-rate schedule at which an epoch finds them. The guess takes the share
    that at most `UNUSUAL` of the complete trainings fell below:

        optimistic value = best - share(epoch) * (best - greatest value so far)

    While a training is like the complete ones (exchangeable), its error falls below the least of n
    shares with probability 1/(n + 1) at any one epoch: order statistics, as in conformal prediction
    (Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005). That is not quite so
    where trials are stopped, for the complete ones are those that did well. What counts is measured
    (`benchmarks/early_stopping.py`, 120 trainings of digits in 200 orders, margin 0.5): of the
    stopped trials 1.0 % would have been on the front.

    With several seeds a curve holds one training after the other.

    Args:
        epochs: of one training.
        best: the value that no training can be better than: 100 of an accuracy.
        seeds: how many trainings make a trial.
    """

    def __init__(self, *, epochs: int, best: float, seeds: int = 1) -> None:
        self._epochs, self._best, self._seeds = epochs, best, seeds
        self._shares: list[list[float]] = [[] for _ in range(epochs)]

    def is_whole(self, curve: Curve) -> bool:
        """Whether nothing is left to train."""
        return len(curve) >= self._epochs * self._seeds

    def add(self, curve: Curve) -> None:
        """Learn from a complete trial; nothing from one whose curve is not known whole."""
        if not self.is_whole(curve) or not all(map(isfinite, curve)):
            return
        for training in self._trainings(curve):
            for epoch, shares in enumerate(self._shares, start=1):
                error = self._best - max(training[:epoch])
                insort(shares, (self._best - training[-1]) / error if error > 0 else 1.0)

    def optimistic(self, curve: Curve) -> float | None:
        """The most that can be hoped for: the mean over the seeds, of which those that
        are not begun count as the best of the others. None while too little is known."""
        if not curve or not all(map(isfinite, curve)):
            return None
        if len(self._shares[0]) < EVIDENCE:
            return None
        guesses = [self._guess(training) for training in self._trainings(curve)]
        to_come = self._seeds - len(guesses)
        return (sum(guesses) + to_come * max(guesses)) / self._seeds

    def _guess(self, training: Curve) -> float:
        if len(training) == self._epochs:
            return training[-1]
        shares = self._shares[len(training) - 1]
        share = shares[int(UNUSUAL * len(shares))]
        return self._best - share * (self._best - max(training))

    def _trainings(self, curve: Curve) -> list[Curve]:
        return [curve[start : start + self._epochs] for start in range(0, len(curve), self._epochs)]
