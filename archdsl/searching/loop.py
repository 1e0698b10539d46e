"""The loop: propose, look up, keep the constraints, measure, commit. No memory of its own.

Everything it knows it reads from the store, so that the same command starts a search, resumes it
after a crash, or finds it complete.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, Protocol

from archdsl.analysis.time_at_work import seconds_at_work
from archdsl.errors import SpaceExhaustedError, StoreError
from archdsl.identity import digest
from archdsl.metrics import METRICS
from archdsl.records import Job, Measurement, Outcome, State
from archdsl.searching.proposer import Proposer
from archdsl.searching.read import CheckedStudy
from archdsl.searching.retry import BaseFailedError, depends_on_place
from archdsl.searching.samplers import History, HistoryRow, Sampler
from archdsl.searching.stopper import Stopper
from archdsl.searching.stored import decisions_of_base
from archdsl.searching.study import Budget
from archdsl.store.errors import DuplicateTrialError, StaleClaimError
from archdsl.store.owner import Owner
from archdsl.store.rows import Architecture, StudyRow, Trial
from archdsl.store.store import Store

MOST_INFEASIBLE = 200
"""Candidates in a row whose facts break constraints, before the space is enumerated instead."""
FACTS_PROTOCOL = {"evaluator": "facts/1"}


class Observer(Protocol):
    """Whoever watches a search, such as a progress display."""

    def on_start(self, job: Job) -> None:
        """A candidate goes to a worker."""

    def on_epoch(self, job: Job, epoch: int, name: str, value: float) -> None:
        """A value on the way."""

    def on_end(self, job: Job, outcome: Outcome) -> None:
        """A candidate is committed."""


class Search:
    """Gives out the candidates of one study and commits what becomes of them.

    Args:
        checked: the study.
        row: the study in the store.
        store: the database.
        owner: this process.
        budget: total of counted trials, and of hours at work.
        protocols: quantity to protocol of each evaluator, to look values up before measuring.
        folder: where weights and checkpoints live.
        observer: told of every step, if there is one.
        sampler: in place of the one that the study names.
        profile: words of the run profile, kept with ends that another one might change.
    """

    def __init__(
        self,
        *,
        checked: CheckedStudy,
        row: StudyRow,
        store: Store,
        owner: Owner,
        budget: Budget,
        protocols: Mapping[str, Mapping[str, Any]],
        folder: str,
        observer: Observer | None,
        sampler: Sampler | None = None,
        profile: Mapping[str, Any] | None = None,
    ) -> None:
        self._proposer = Proposer(checked=checked, sampler=sampler)
        self._objectives = list(checked.study.objectives)
        self._row, self._store, self._owner, self._budget = row, store, owner, budget.trials
        self._deadline = time.monotonic() + budget_seconds_left(budget, row, store)
        self._hours = budget.hours
        self._keys = {quantity: digest(dict(p)) for quantity, p in protocols.items()}
        self._folder, self._profile, self._observer = folder, profile, observer
        self._has_base = bool(checked.space.bases)
        self._running: dict[int, tuple[str, Mapping[str, float]]] = {}
        self._stopper = Stopper(study=checked.study, study_id=row.id, store=store)
        self._finished: list[HistoryRow] = []
        self._last_finish = 0
        self._seen = store.trials.arch_ids(row.id)
        self.ended = 0
        self.exhausted: str | None = None

    def next_job(self) -> Job | None:
        """A trial whose owner has died, else a new candidate, else None: the search is over."""
        begun = self._taken_over() or self._new_trial()
        if begun is None:
            return None
        trial, architecture = begun
        self._running[trial.id] = (trial.token or "", architecture.facts)
        known = self._known(trial.arch_id)
        job = job_of(trial, architecture, self._row, known=known, folder=self._folder)
        if self._observer:
            self._observer.on_start(job)
        return job

    def on_measurement(self, job: Job, measurement: Measurement) -> None:
        """Keep what was measured: whoever takes the trial over need not measure it again."""
        self._store.measurements.record(job.arch_id, measurement)

    def on_report(self, job: Job, name: str, epoch: int, value: float) -> str | None:
        """Keep a value on the way; returns why the trial is to be stopped now, if so."""
        token, facts = self._running[job.trial_id]
        self._store.epochs.report(
            trial_id=job.trial_id, token=token, epoch=epoch, name=name, value=value
        )
        if self._observer:
            self._observer.on_epoch(job, epoch, name, value)
        if not self._stopper.stops:
            return None
        self._read_finished()
        return self._stopper.reason(job.trial_id, self._exact(job.arch_id, facts))

    def on_outcome(self, job: Job, outcome: Outcome) -> None:
        """Commit the end of a trial.

        Raises:
            BaseFailedError: the base came to an end that another place might change, so that
                whatever is tried here says nothing; it is not committed.
        """
        if job.number == 0 and self._has_base and depends_on_place(outcome):
            raise BaseFailedError(outcome)
        token, known = self._running[job.trial_id]
        measured = {each.quantity: each for each in outcome.measurements}
        values = {
            name: measured[name] if name in measured else _fact(name, known)
            for name in self._objectives
            if outcome.state is State.COMPLETE
        }
        self._store.trials.finish(
            trial_id=job.trial_id,
            token=token,
            outcome=outcome,
            values=values,
            profile=self._profile,
        )
        del self._running[job.trial_id]
        self.ended += 1
        if self._observer:
            self._observer.on_end(job, outcome)

    def give_back(self) -> None:
        """The search ends here: leave what is running to whoever comes next."""
        for trial_id, (token, _) in self._running.items():
            try:
                self._store.claims.give_back(trial_id=trial_id, token=token)
            except StaleClaimError:
                continue
            except StoreError:
                break  # the store is gone, too; the next search of this process gives them back
        self._running.clear()

    def _known(self, arch_id: str) -> tuple[Measurement, ...]:
        return tuple(
            each
            for each in self._store.measurements.of_arch(arch_id)
            if each.key == self._keys.get(each.quantity)
        )

    def _taken_over(self) -> tuple[Trial, Architecture] | None:
        trial = self._store.trials.take_over(study_id=self._row.id, owner=self._owner)
        return trial if trial is None else (trial, self._store.architectures.find(trial.arch_id))

    def _new_trial(self) -> tuple[Trial, Architecture] | None:
        while time.monotonic() < self._deadline:
            size = self._store.trials.size(self._row.id)
            if self._budget is not None and size.counted >= self._budget:
                return None
            self._read_finished()
            try:
                new = self._proposer.next(
                    number=size.rows,
                    history=History(finished=self._finished, read_running=self._read_running),
                    seen=self._seen,
                    only_feasible=self._infeasible_in_a_row() >= MOST_INFEASIBLE,
                )
            except SpaceExhaustedError as error:
                self.exhausted = str(error)
                return None
            try:
                trial = self._store.trials.add(
                    new, study_id=self._row.id, budget=self._budget, owner=self._owner
                )
            except DuplicateTrialError:  # another process was quicker
                self._seen = self._store.trials.arch_ids(self._row.id)
                continue
            self._seen.add(new.architecture.arch_id)
            if trial is None:
                return None
            if new.outcome is None:
                return trial, new.architecture
        self.exhausted = f"the time is over ({self._hours:g} h); raise it with --hours H to go on"
        return None

    def _read_finished(self) -> None:
        for trial in self._store.trials.finished(self._row.id, after=self._last_finish):
            self._last_finish = trial.finish_order or self._last_finish
            self._finished.append(self._row_of(trial))
            self._stopper.learn(trial)

    def _read_running(self) -> list[HistoryRow]:
        return [
            self._row_of(self._store.trials.get(self._row.id, claim.number))
            for claim in self._store.claims.of_study(self._row.id)
        ]

    def _row_of(self, trial: Trial) -> HistoryRow:
        fine = trial.state in (State.COMPLETE, State.STOPPED, State.RUNNING)
        return HistoryRow(
            number=trial.number,
            arch_id=trial.arch_id,
            state=trial.state,
            params=trial.params,
            distributions=trial.distributions,
            attributes=trial.sampler_attrs,
            values=self._values(trial),
            # Whatever came to a bad end is something to keep away from.
            violation=0.0 if fine else trial.violation or 1.0,
            counted=trial.counted,
            read_facts=lambda arch_id: self._store.architectures.find(arch_id).facts,
        )

    def _values(self, trial: Trial) -> Mapping[str, float] | None:
        """Of a trial's objectives, as a sampler sees them."""
        if trial.state is State.COMPLETE:
            return {name: trial.values[name].value for name in self._objectives}
        if trial.state is State.STOPPED:
            facts = self._store.architectures.find(trial.arch_id).facts
            return self._stopper.bound(trial, self._exact(trial.arch_id, facts))
        return None

    def _exact(self, arch_id: str, facts: Mapping[str, float]) -> dict[str, float]:
        """What is known of an architecture without a training: its facts, and what is measured."""
        return {**facts, **{each.quantity: each.value for each in self._known(arch_id)}}

    def _infeasible_in_a_row(self) -> int:
        streak = 0
        for row in reversed(self._finished):
            if row.counted:
                break
            streak += 1
        return streak


def budget_seconds_left(budget: Budget, row: StudyRow, store: Store) -> float:
    """Until no trial of a study is begun any more; infinite where no hours are set."""
    if budget.hours is None:
        return math.inf
    return budget.hours * 3600 - seconds_at_work(store.snapshots.take(row.id).ended)


def job_of(
    trial: Trial,
    architecture: Architecture,
    study: StudyRow,
    *,
    known: tuple[Measurement, ...],
    folder: str,
) -> Job:
    """A trial of a study as a worker gets it; see `Job`."""
    return Job(
        trial_id=trial.id,
        number=trial.number,
        arch_id=trial.arch_id,
        spec=architecture.spec,
        params=trial.params,
        known=known,
        folder=folder,
        also=decisions_of_base(study) if trial.number == 0 and not trial.params else {},
    )


def _fact(name: str, known: Mapping[str, float]) -> Measurement:
    value = float(known[name])
    return Measurement(
        quantity=name,
        value=value,
        low=value,
        high=value,
        unit=METRICS[name].unit,
        protocol=FACTS_PROTOCOL,
    )
