"""Samplers as a pure function of what has been tried: the only file that imports optuna.

Proposal n comes from a fresh sampler, seeded by (seed, n, attempt), over the finished trials in the
order they were finished. Nothing else is remembered, so a search that was killed proposes what it
would have proposed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
    json_to_distribution,
)
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, create_trial

from archdsl.records import digest
from archdsl.search.holes import Hole
from archdsl.search.objectives import Direction

POPULATION = 20
"""Of NSGA-II: searches here have tens to hundreds of trials, not thousands."""


@dataclass(frozen=True, kw_only=True)
class Past:
    """A finished trial as a sampler sees it.

    Args:
        params: hole name to the label that was chosen (the number itself, of a range).
        distributions: hole name to optuna's JSON of what it chose from.
        attributes: what the sampler itself noted (generations of NSGA-II).
        values: of the objectives, in the study's order; None when it has none.
        violation: above 0 for everything a sampler should keep away from.
        counted: part of the budget; False where facts alone ruled a candidate out.
    """

    params: Mapping[str, Any]
    distributions: Mapping[str, str]
    attributes: Mapping[str, Any]
    values: Sequence[float] | None
    violation: float
    counted: bool = True


@dataclass
class Draw:
    """One proposal being made: fills holes by asking a sampler."""

    trial: optuna.Trial
    distributions: dict[str, str] = field(default_factory=dict)

    def decide(self, hole: Hole) -> int:
        """Index of the option the sampler takes."""
        self.distributions[hole.name] = distribution_to_json(_distribution(hole))
        if hole.span is None:
            return hole.labels.index(self.trial.suggest_categorical(hole.name, hole.labels))
        low, high, step = hole.span
        number: float
        if _is_whole(hole):
            number = self.trial.suggest_int(hole.name, int(low), int(high), step=int(step))
        else:
            number = self.trial.suggest_float(hole.name, low, high, step=step)
        return round((number - low) / step)

    @property
    def attributes(self) -> dict[str, Any]:
        """What the sampler noted about this proposal."""
        return dict(self.trial.study.get_trials(deepcopy=False)[-1].system_attrs)


class Sampling:
    """A sampler over a study's past.

    Args:
        kind: `tpe`, `nsga2` or `random`.
        seed: of the study.
        directions: of the objectives, in order.
    """

    def __init__(self, *, kind: str, seed: int, directions: Sequence[Direction]) -> None:
        self._kind = kind
        self._seed = seed
        self._directions = list(directions)
        optuna.logging.set_verbosity(optuna.logging.WARNING)

    def draw(self, *, number: int, attempt: int, past: Sequence[Past]) -> Draw:
        """Begin proposal `number`, `attempt` counting the redraws of it."""
        seed = int(digest([self._seed, number, attempt])[:8], 16)
        study = optuna.create_study(
            storage=optuna.storages.InMemoryStorage(),
            sampler=_SAMPLERS[self._kind](seed),
            directions=self._directions,
        )
        if self._kind != "random":
            study.add_trials(self._frozen(past))
        return Draw(trial=study.ask())

    def _frozen(self, past: Sequence[Past]) -> list[FrozenTrial]:
        worst = self._worst(past)
        frozen = []
        for trial in past:
            frozen.append(
                create_trial(
                    values=list(trial.values) if trial.values else worst,
                    params=dict(trial.params),
                    distributions={
                        name: _parsed(text) for name, text in trial.distributions.items()
                    },
                    system_attrs=dict(trial.attributes),
                    constraints={"kept": trial.violation or -1.0},
                )
            )
        return frozen

    def _worst(self, past: Sequence[Past]) -> list[float]:
        """Finite stand-ins for trials without values: no better than anything seen."""
        seen = [trial.values for trial in past if trial.values]
        if not seen:
            return [0.0] * len(self._directions)
        return [
            max(column) if direction == "minimize" else min(column)
            for column, direction in zip(zip(*seen, strict=True), self._directions, strict=True)
        ]


def _tpe(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # group: holes under different options are sampled jointly where they exist together
        return TPESampler(seed=seed, multivariate=True, group=True)


def _nsga2(seed: int) -> BaseSampler:
    return NSGAIISampler(seed=seed, population_size=POPULATION)


_SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": _tpe,
    "nsga2": _nsga2,
    "random": lambda seed: RandomSampler(seed=seed),
}
_PARSED: dict[str, BaseDistribution] = {}


def _parsed(text: str) -> BaseDistribution:
    if text not in _PARSED:
        _PARSED[text] = json_to_distribution(text)
    return _PARSED[text]


def _distribution(hole: Hole) -> BaseDistribution:
    if hole.span is None:
        return CategoricalDistribution(hole.labels)
    low, high, step = hole.span
    if _is_whole(hole):
        return IntDistribution(int(low), int(high), step=int(step))
    return FloatDistribution(low, high, step=step)


def _is_whole(hole: Hole) -> bool:
    return all(type(label) is int for label in hole.labels)
