"""Optuna's samplers as a pure function of what has been tried.

Proposal n comes from a fresh sampler, seeded by (seed, n, attempt), over the finished trials in the
order they were finished. Nothing else is remembered, so a search that was killed proposes what it
would have proposed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
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
from archdsl.metrics import Direction
from archdsl.searching.samplers import History, HistoryRow, Proposal
from archdsl.space.holes import Hole
from archdsl.space.space import Space

PATIENCE = 10
"""Redraws after which a sampler that keeps proposing what is there is replaced by random draws."""
POPULATION = 20
"""Of NSGA-II: searches here have tens to hundreds of trials, not thousands."""


class OptunaSampler:
    """One of optuna's samplers, made anew for every draw.

    Args:
        kind: `tpe`, `nsga2` or `random`.
        seed: of the study.
        objectives: name to direction, in the study's order.
    """

    def __init__(self, *, kind: str, seed: int, objectives: Mapping[str, Direction]) -> None:
        self._kind, self._seed, self._objectives = kind, seed, dict(objectives)
        with without_messages():
            self._study = optuna.create_study(
                storage=optuna.storages.InMemoryStorage(), directions=list(objectives.values())
            )
        self._learnt = 0
        self._worst: list[float] | None = None

    def propose(self, space: Space, history: History, *, number: int) -> Iterator[Proposal]:
        """One draw after the other, without end; see `Sampler.propose`."""
        for attempt in count():
            kind = self._kind if attempt < PATIENCE else "random"
            if kind != "random":
                self._learn(history.finished)
            self._study.sampler = fresh_sampler(
                kind, seed=self._seed, number=number, attempt=attempt
            )
            trial = self._study.ask()
            candidate = space.walk(_Suggestions(trial))
            attributes = dict(self._study.get_trials(deepcopy=False)[-1].system_attrs)
            # Samplers pass over failed trials: a draw leaves nothing behind.
            self._study.tell(trial, state=TrialState.FAIL)
            yield Proposal(candidate=candidate, attributes=attributes)

    def _learn(self, finished: Sequence[HistoryRow]) -> None:
        for row in finished[self._learnt :]:
            frozen = self._frozen(row)
            # NSGA-II crosses the decisions that all trials share, and a base has made none.
            if row.params or self._kind != "nsga2":
                self._study.add_trial(frozen)
        self._learnt = len(finished)

    def _frozen(self, row: HistoryRow) -> FrozenTrial:
        """A trial without values gets finite ones, no better than any finished before it."""
        values = self._worst
        if row.values:
            values = [row.values[name] for name in self._objectives]
            self._worst = [
                max(value, worst) if direction == "minimize" else min(value, worst)
                for value, worst, direction in zip(
                    values, self._worst or values, self._objectives.values(), strict=True
                )
            ]
        return create_trial(
            values=values or [0.0] * len(self._objectives),
            params=dict(row.params),
            distributions={name: _parsed(text) for name, text in row.distributions.items()},
            system_attrs={**row.attributes, CONSTRAINTS: [row.violation or -1.0]},
        )


@dataclass(frozen=True)
class _Suggestions:
    """Fills holes by asking optuna."""

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


@contextmanager
def without_messages() -> Iterator[None]:
    """Keeps optuna from telling of each study that is made; what a user set holds afterwards."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(verbosity, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(verbosity)


CONSTRAINTS = "constraints"
"""The attribute in which Optuna's samplers look for how far a trial breaks constraints."""


def _broken(trial: FrozenTrial) -> Sequence[float]:
    excesses: Sequence[float] = trial.system_attrs[CONSTRAINTS]
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
        if kind == "tpe":
            # group: holes under different options are sampled jointly where they exist together
            return TPESampler(seed=own_seed, multivariate=True, group=True, **_MINDFUL)
        if kind == "nsga2":
            return NSGAIISampler(seed=own_seed, population_size=POPULATION, **_MINDFUL)
        return RandomSampler(seed=own_seed)


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


def distributions(holes: Sequence[Hole]) -> dict[str, str]:
    """What each hole was chosen from, as optuna's JSON."""
    return {hole.name: distribution_to_json(_distribution(hole)) for hole in holes}


_parsed = cache(json_to_distribution)


def _distribution(hole: Hole) -> BaseDistribution:
    if hole.span is None:
        return CategoricalDistribution(hole.labels)
    low, high, step = hole.span
    if _is_whole(hole):
        return IntDistribution(int(low), int(high), step=int(step))
    return FloatDistribution(low, high, step=step)


def _is_whole(hole: Hole) -> bool:
    return all(type(label) is int for label in hole.labels)
