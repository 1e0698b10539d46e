"""The driver's side of a cluster: gives jobs to its trials, commits what they tell, in one thread.

A trial of the cluster's own is one attempt at a job. A job whose machine is lost is given out
again, as `RepeatingSource` says; nothing is lost, for what it told is committed and its checkpoint
lies in the storage.
"""

from __future__ import annotations

from collections.abc import Callable

from archdsl.records import Job, Measurement, Outcome, State
from archdsl.runners.interfaces import JobSource
from archdsl.runners.repeating import RepeatingSource
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
        self._source, self._room = RepeatingSource(source), room
        self._attempts: dict[str, _Attempt] = {}
        self._drained = False
        self.error: Exception | None = None

    def __reduce__(self) -> tuple[type[str], tuple[()]]:
        """Snapshots that a cluster takes for itself, and nobody reads, hold nothing of it."""
        return str, ()

    @property
    def finished(self) -> bool:
        """Whether nothing is under way and nothing is to come."""
        return (self._drained and not self._attempts) or self.error is not None

    def give(self, trial: str) -> Job | None:
        """A job for a new trial; None when there is none now."""
        job: Job | None = None
        if self.error is None and not self._drained and len(self._attempts) < self._room():
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
        """A trial's machine or process is gone."""
        outcome = Outcome(state=State.CRASHED, reason=f"its machine was lost: {reason}")
        self.take(trial, OutcomeEvent(outcome=outcome))

    def _next_job(self) -> Job | None:
        try:
            job = self._source.next_job()
        except Exception as error:
            self.error = error
            return None
        self._drained = job is None
        return job

    def _end(self, trial: str, outcome: Outcome) -> None:
        job = self._attempts.pop(trial).job
        self._drained = False  # it may be given out again, or free room in the budget
        self._source.on_outcome(job, outcome)
