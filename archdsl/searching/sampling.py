"""Samplers as a pure function of what has been tried, by way of optuna.

Proposal n comes from a fresh sampler, seeded by (seed, n, attempt), over the finished trials in the
order they were finished. Nothing else is remembered, so a search that was killed proposes what it
would have proposed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna import samplers
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
    json_to_distribution,
)
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from archdsl.identity import digest
from archdsl.objectives import Direction
from archdsl.space.holes import Hole

PATIENCE = 10
"""Redraws after which a sampler that keeps proposing what is there is replaced by random draws."""
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

    def decide(self, hole: Hole) -> int:
        """Index of the option the sampler takes."""
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
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._kind, self._seed = kind, seed
        self._directions = list(directions)
        self._study = optuna.create_study(
            storage=optuna.storages.InMemoryStorage(), directions=self._directions
        )
        self._told = 0
        self._worst: list[float] | None = None
        self._open: optuna.Trial | None = None

    def draw(self, *, number: int, attempt: int, past: Sequence[Past]) -> Draw:
        """Begin proposal `number`, `attempt` counting the redraws of it.

        Args:
            number: of the trial.
            attempt: from 0.
            past: every finished trial; those of the last call first.
        """
        kind = self._kind if attempt < PATIENCE else "random"
        if self._open is not None:
            # Samplers pass over failed trials: an earlier draw leaves nothing behind.
            self._study.tell(self._open, state=TrialState.FAIL)
        if kind != "random":
            for trial in past[self._told :]:
                frozen = self._frozen(trial)
                # NSGA-II crosses the decisions that all trials share, and a base has made none.
                if trial.params or kind != "nsga2":
                    self._study.add_trial(frozen)
            self._told = len(past)
        self._study.sampler = fresh_sampler(kind, seed=self._seed, number=number, attempt=attempt)
        self._open = self._study.ask()
        return Draw(trial=self._open)

    def _frozen(self, trial: Past) -> FrozenTrial:
        """A trial without values gets finite ones, no better than any finished before it."""
        values = list(trial.values) if trial.values else self._worst
        if trial.values:
            self._worst = [
                max(value, worst) if direction == "minimize" else min(value, worst)
                for value, worst, direction in zip(
                    trial.values, self._worst or trial.values, self._directions, strict=True
                )
            ]
        return create_trial(
            values=values or [0.0] * len(self._directions),
            params=dict(trial.params),
            distributions={name: _parsed(text) for name, text in trial.distributions.items()},
            system_attrs={**trial.attributes, _BROKEN: [trial.violation or -1.0]},
        )


_BROKEN = "constraints"
"""The attribute in which samplers look for how far a trial breaks constraints."""


def _broken(trial: FrozenTrial) -> Sequence[float]:
    excesses: Sequence[float] = trial.system_attrs[_BROKEN]
    return excesses


# Before version 5, a sampler minds constraints only where it is given a function for them.
_MINDFUL: dict[str, Any] = (
    {"constraints_func": _broken} if int(optuna.__version__.split(".")[0]) < 5 else {}
)


def fresh_sampler(kind: str, *, seed: int, number: int, attempt: int) -> BaseSampler:
    """The sampler of one proposal, which remembers nothing of those before."""
    own_seed = int(digest([seed, number, attempt])[:8], 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return _SAMPLERS[kind](own_seed)


def _tpe(seed: int) -> BaseSampler:
    # group: holes under different options are sampled jointly where they exist together
    return TPESampler(seed=seed, multivariate=True, group=True, **_MINDFUL)


class NSGAIISampler(samplers.NSGAIISampler):
    """Optuna's, with parents in the order of their trials.

    Optuna hands out the parents of a generation in the order of their selection when it has just
    selected them, and in the order of their trials when it remembers them: a proposal would depend
    on whether the search was restarted since the generation began.

    The name is part of what the sampler notes about its trials, so it stays Optuna's.
    """

    def get_parent_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        parents = super().get_parent_population(study, generation)
        return sorted(parents, key=lambda trial: trial.number)


def _nsga2(seed: int) -> BaseSampler:
    return NSGAIISampler(seed=seed, population_size=POPULATION, **_MINDFUL)


_SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": _tpe,
    "nsga2": _nsga2,
    "random": lambda seed: RandomSampler(seed=seed),
}


def distributions(holes: Sequence[Hole]) -> dict[str, str]:
    """What each hole was chosen from, as optuna's JSON."""
    return {hole.name: distribution_to_json(_distribution(hole)) for hole in holes}


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
