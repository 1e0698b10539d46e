"""Measuring a finished trial once more, by the very evaluators that measured it first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from archdsl.analysis.aggregate import aggregated
from archdsl.identity import canonical_json, digest
from archdsl.records import State
from archdsl.runners.interfaces import Runner
from archdsl.runners.make import make_runner
from archdsl.runners.profile import RunProfile
from archdsl.searching.before import measured_otherwise, settings_here
from archdsl.searching.loop import job_of
from archdsl.spec.model import ModelSpec
from archdsl.store.rows import Architecture, StudyRow, Trial
from archdsl.store.store import Store

_OWN_WORDS = {"seeds", "repeat"}
"""What protocols behind one value may differ in."""


class Remeasurer:
    """Adds measurements to the values of a study's complete trials; close it afterwards.

    Args:
        store: the database.
        study: the study.
        profile: where candidates run.
        any_device: measure on whatever device is here, instead of only the one asked for.
    """

    def __init__(
        self, store: Store, study: StudyRow, profile: RunProfile, *, any_device: bool
    ) -> None:
        self._store, self._study, self._profile = store, study, profile
        self._any_device = any_device
        self._runner: Runner | None = None
        self._evaluate: dict[str, Any] = {}

    def measure(self, trial: Trial, objective: str, words: Mapping[str, Any]) -> str | None:
        """Measure one value of a trial once more and store it, unless it is stored already.

        Args:
            trial: a complete one.
            objective: what is measured.
            words: of the measurement's protocol, which no other of this value has: its `seeds`,
                or which `repeat` it is.

        Returns:
            Why it could not be measured; None when it was.

        Raises:
            StudyError: it is measured otherwise here than the study's value was.
            ArchdslError: data or devices that are not there, a store that cannot be written.
        """
        architecture = self._store.architectures.find(trial.arch_id)
        runner = self._ready({objective: self._settings(objective, architecture, words)})
        protocol = {**runner.protocols()[objective], **words}
        self._refuse_mixture(trial, objective, protocol)
        made = self._store.measurements.find(
            arch_id=trial.arch_id, quantity=objective, key=digest(protocol)
        )
        if made is None:
            job = job_of(trial, architecture, self._study, known=(), folder=self._profile.storage)
            [(_, outcome)] = runner.score([job], objective)
            if outcome.state is not State.COMPLETE:
                return outcome.reason or outcome.state.value
            measured = outcome.measurements[-1]
            made = replace(measured, protocol={**measured.protocol, **words})
        self._store.samples.add(
            trial_id=trial.id, objective=objective, measurement=made, pool=aggregated
        )
        return None

    def close(self) -> None:
        """End the process that measures, if there is one."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def _settings(
        self, objective: str, architecture: Architecture, words: Mapping[str, Any]
    ) -> dict[str, Any]:
        settings = dict(self._study.document["evaluate"][objective])
        if "table" in settings or "seeds" in words:
            settings |= words
        return settings_here(
            settings,
            spec=lambda: ModelSpec.model_validate(architecture.spec),
            any_device=self._any_device,
        )

    def _ready(self, evaluate: dict[str, Any]) -> Runner:
        """The runner for these settings; the last one where they are the same."""
        if self._runner is None or canonical_json(evaluate) != canonical_json(self._evaluate):
            self.close()
            self._evaluate = evaluate
            self._runner = make_runner(self._profile, evaluate=evaluate)
        return self._runner

    def _refuse_mixture(self, trial: Trial, objective: str, protocol: Mapping[str, Any]) -> None:
        first = self._store.measurements.of_trial(trial.id)[objective].protocol
        before, now = (
            {name: value for name, value in each.items() if name not in _OWN_WORDS}
            for each in (first, protocol)
        )
        if canonical_json(before) != canonical_json(now):
            raise measured_otherwise(
                self._study.name,
                objective,
                before,
                now,
                remedy="values that were measured differently are never brought together; restore "
                "what changed",
            )
