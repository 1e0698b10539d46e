"""Optuna's own tests for samplers, over the samplers as proposals are made: a fresh one for each.

What does not apply:
- `SingleOnlySamplerTestCase`: all three know several objectives.
- `RelativeSamplerTestCase`: it asks for joint samples after a single trial. TPE makes none before
  its tenth, NSGA-II none before its second generation; until then each hole is sampled by itself,
  which the other cases test. Nor do several threads ever ask one sampler.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from archdsl.searching.samplers.optuna import fresh_sampler

try:
    from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase
except ImportError:
    pytest.skip(
        f"optuna {optuna.__version__} does not ship its tests for samplers",
        allow_module_level=True,
    )

MakeSampler = Callable[[], BaseSampler]


class FreshEachTrial(BaseSampler):
    """Passes each trial on to a sampler of its own, as a search does with its proposals."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._samplers: dict[int, BaseSampler] = {}

    def _of(self, trial: FrozenTrial) -> BaseSampler:
        if trial.number not in self._samplers:
            self._samplers[trial.number] = fresh_sampler(
                self._kind, seed=0, number=trial.number, attempt=0
            )
        return self._samplers[trial.number]

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._of(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._of(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        return self._of(trial).sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._of(trial).before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        self._of(trial).after_trial(study, trial, state, values)


class Cases(BasicSamplerTestCase, MultiObjectiveSamplerTestCase):
    """The cases that apply."""

    kind: str

    @pytest.fixture
    def sampler(self) -> MakeSampler:
        return lambda: FreshEachTrial(self.kind)


class TestRandom(Cases):
    kind = "random"


class TestNsga2(Cases):
    kind = "nsga2"


class TestTpe(Cases):
    kind = "tpe"
