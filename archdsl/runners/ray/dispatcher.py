"""The driver's side of a cluster: gives jobs to its trials, commits what they tell, in one thread.

A trial of the cluster's own is one attempt at a job. A job whose machine is lost is given out
again; nothing is lost, for what it told is committed and its checkpoint lies in the storage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from archdsl.records import MOST_FRUITLESS, Job, Measurement, Outcome, State
from archdsl.runners.interfaces import JobSource
from archdsl.runners.threaded_slot import (
    ErrorEvent,
    Event,
    MeasurementEvent,
    OutcomeEvent,
    ReportEvent,
)


class _Attempt:
    """A job on a machine."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.measured: list[Measurement] = []
        self.stop: str | None = None


class Dispatcher:
    """Stands between a source of jobs and the trials of a cluster.

    What the source raises is kept in `error` and ends the run: the cluster would take it for a
    failure of its trial.

    Args:
        source: the search.
        room: how many jobs may be under way now.
    """

    def __init__(self, source: JobSource, *, room: Callable[[], int]) -> None:
        self._source, self._room = source, room
        self._attempts: dict[str, _Attempt] = {}
        self._lost: list[Job] = []
        self._fruitless: dict[int, int] = {}
        self._furthest: dict[int, int] = {}
        self._drained = False
        self.error: Exception | None = None

    def __reduce__(self) -> tuple[type[str], tuple[()]]:
        """Snapshots that a cluster takes for itself, and nobody reads, hold nothing of it."""
        return str, ()

    @property
    def finished(self) -> bool:
        """Whether nothing is under way and nothing is to come."""
        done = self._drained and not self._attempts and not self._lost
        return done or self.error is not None

    def give(self, trial: str) -> Job | None:
        """A job for a new trial; None when there is none now."""
        job: Job | None = None
        if self.error is None and len(self._attempts) < self._room():
            if self._lost:
                job = self._lost.pop(0)
            elif not self._drained:
                job = self._next_job()
        if job is not None:
            self._attempts[trial] = _Attempt(job)
        return job

    def take(self, trial: str, event: Event) -> bool:
        """Commit what a trial tells; whether it may go on."""
        if self.error is not None:
            return False
        attempt = self._attempts[trial]
        try:
            match event:
                case MeasurementEvent(measurement=measurement):
                    self._source.on_measurement(attempt.job, measurement)
                    attempt.measured.append(measurement)
                case ReportEvent(name=name, epoch=epoch, value=value):
                    attempt.stop = self._source.on_report(attempt.job, name, epoch, value)
                    self._note_progress(attempt.job, epoch)
                case OutcomeEvent(outcome=outcome):
                    self._end(trial, outcome)
                case ErrorEvent(error=refused):
                    raise refused
        except Exception as error:
            self.error = error
        return attempt.stop is None and self.error is None

    def stop(self, trial: str, *, seconds: float) -> None:
        """A trial that was told to stop has done so.

        Args:
            trial: the cluster's name of it.
            seconds: it took.
        """
        attempt = self._attempts[trial]
        outcome = Outcome(
            state=State.STOPPED,
            measurements=(*attempt.job.known, *attempt.measured),
            reason=attempt.stop,
            seconds=seconds,
        )
        self.take(trial, OutcomeEvent(outcome=outcome))

    def lose(self, trial: str, reason: str) -> None:
        """A trial's machine or process is gone: its job goes to another, but not for ever."""
        attempt = self._attempts[trial]
        job = attempt.job
        fruitless = self._fruitless[job.trial_id] = self._fruitless.get(job.trial_id, 0) + 1
        if fruitless < MOST_FRUITLESS:
            del self._attempts[trial]
            self._lost.append(replace(job, known=(*job.known, *attempt.measured)))
            return
        lost = f"its machine was lost {fruitless} times without a new checkpoint, last: {reason}"
        outcome = Outcome(
            state=State.CRASHED,
            measurements=(*job.known, *attempt.measured),
            reason=lost,
        )
        self.take(trial, OutcomeEvent(outcome=outcome))

    def _next_job(self) -> Job | None:
        try:
            job = self._source.next_job()
        except Exception as error:
            self.error = error
            return None
        self._drained = job is None
        return job

    def _note_progress(self, job: Job, epoch: int) -> None:
        """A training that goes on from a checkpoint first tells what it had told before."""
        if epoch > self._furthest.get(job.trial_id, 0):
            self._furthest[job.trial_id] = epoch
            self._fruitless.pop(job.trial_id, None)

    def _end(self, trial: str, outcome: Outcome) -> None:
        job = self._attempts.pop(trial).job
        self._fruitless.pop(job.trial_id, None)
        self._furthest.pop(job.trial_id, None)
        self._drained = False  # an outcome may free room in the budget
        self._source.on_outcome(job, outcome)
