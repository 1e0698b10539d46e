"""Which choices made the difference: functional ANOVA by optuna, one objective at a time.

Hutter, Hoos and Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance",
ICML 2014: a random forest is fitted to an objective, and the share of its variance that each choice
explains by itself is the choice's importance.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import optuna
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import create_trial

from archdsl.store.rows import StudyRow, Trial

LEAST_TRIALS = 20
"""With fewer, a forest says nothing of a choice."""
ENOUGH_PER_CHOICE = 10
"""Trials for each choice; with fewer, shares are rough."""
MOST_TRIALS = 200
"""Of more, a random part is looked at: the time grows with each, what it tells hardly does."""
TREES = 8


@dataclass(frozen=True, kw_only=True)
class Importance:
    """How much one choice explains.

    Args:
        name: of the hole.
        trials: complete ones that made the choice.
        conditional: not all trials did; its shares are of the variance among those that did.
        shares: objective to share of the variance, 0 to 1; an objective that does not vary is left
            out, and so are all where there are too few trials.
    """

    name: str
    trials: int
    conditional: bool
    shares: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Importances:
    """The importance of every choice, the most important first.

    Args:
        choices: one for each hole.
        trials: complete ones that made choices at all.
        looked_at: how many of these, at most, each forest was fitted to.
        seed: of the forests, and of the random part where these are fewer.
    """

    choices: Sequence[Importance]
    trials: int
    looked_at: int
    seed: int

    @property
    def rough(self) -> bool:
        """Whether the trials are few for so many choices."""
        return self.trials < ENOUGH_PER_CHOICE * len(self.choices)


def importances(study: StudyRow, trials: Sequence[Trial], *, seed: int = 0) -> Importances:
    """The importance of each choice for each objective.

    Args:
        study: whose objectives.
        trials: its complete ones.
        seed: of the forests and of the random part; equal seeds give equal answers.
    """
    decided = [trial for trial in trials if trial.params]
    # Holes of one branch are decided by the same trials: one forest tells of all of them.
    branches: dict[tuple[int, ...], list[str]] = {}
    for name in dict.fromkeys(name for trial in decided for name in trial.params):
        places = tuple(place for place, trial in enumerate(decided) if name in trial.params)
        branches.setdefault(places, []).append(name)
    found = []
    for places, names in branches.items():
        own = [decided[place] for place in places]
        by_objective = {
            objective: _shares(own, objective, seed=seed) for objective in study.objectives
        }
        found += [
            Importance(
                name=name,
                trials=len(own),
                conditional=len(own) < len(decided),
                shares={
                    objective: shares[name]
                    for objective, shares in by_objective.items()
                    if name in shares
                },
            )
            for name in names
        ]
    found.sort(key=lambda each: (each.conditional, -sum(each.shares.values())))
    looked_at = min(len(decided), MOST_TRIALS)
    return Importances(choices=found, trials=len(decided), looked_at=looked_at, seed=seed)


def _shares(trials: Sequence[Trial], objective: str, *, seed: int) -> dict[str, float]:
    """The share of each hole that all of these trials decided; nothing where none can be told."""
    if len(trials) < LEAST_TRIALS:
        return {}
    if len(trials) > MOST_TRIALS:
        trials = random.Random(seed).sample(trials, MOST_TRIALS)
    if len({trial.values[objective].value for trial in trials}) == 1:
        return {}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(storage=optuna.storages.InMemoryStorage())
    study.add_trials(
        [
            create_trial(
                value=trial.values[objective].value,
                params=dict(trial.params),
                distributions={name: _read(text) for name, text in trial.distributions.items()},
            )
            for trial in trials
        ]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        shares = get_param_importances(
            study, evaluator=FanovaImportanceEvaluator(n_trees=TREES, seed=seed)
        )
    return {name: float(share) for name, share in shares.items()}


@cache
def _read(text: str) -> BaseDistribution:
    return json_to_distribution(text)
