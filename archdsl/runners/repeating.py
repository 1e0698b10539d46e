"""What becomes of a candidate whose worker died: the one rule of all runners.

A worker may be killed by what is no fault of its candidate's: somebody's `kill`, a machine that
went down, a memory that others filled. So the candidate is evaluated once more, by a fresh worker,
with what was measured already; of a second death it is the cause. A training that dies after a new
epoch has a new checkpoint to go on from: progress is never held against it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from archdsl.records import Job, Measurement, Outcome, State
from archdsl.runners.interfaces import JobSource

MOST_DEATHS = 2
"""So many deaths of its workers without a new epoch in between, and a candidate has crashed."""


@dataclass
class _History:
    """What is known of a candidate from workers that may be dead by now."""

    measured: list[Measurement] = field(default_factory=list)
    furthest: int = 0
    deaths: int = 0


class RepeatingSource:
    """A source of jobs that gives a job whose worker died out once more.

    Args:
        source: the search.
    """

    def __init__(self, source: JobSource) -> None:
        self._source = source
        self._histories: dict[int, _History] = {}
        self._again: list[Job] = []

    def next_job(self) -> Job | None:
        """A job whose worker died, else the search's next one; see `JobSource.next_job`."""
        job = self._again.pop(0) if self._again else self._source.next_job()
        if job is not None:
            self._histories.setdefault(job.trial_id, _History())
        return job

    def on_measurement(self, job: Job, measurement: Measurement) -> None:
        """See `JobSource.on_measurement`."""
        self._source.on_measurement(job, measurement)
        self._histories[job.trial_id].measured.append(measurement)

    def on_report(self, job: Job, name: str, epoch: int, value: float) -> str | None:
        """See `JobSource.on_report`. A training that goes on from a checkpoint first tells what it
        had told before."""
        stop = self._source.on_report(job, name, epoch, value)
        history = self._histories[job.trial_id]
        if epoch > history.furthest:
            history.furthest, history.deaths = epoch, 0
        return stop

    def on_outcome(self, job: Job, outcome: Outcome) -> None:
        """The end of a job, or of a worker: then the job is given out once more."""
        history = self._histories[job.trial_id]
        if outcome.state is State.CRASHED:
            known = (*job.known, *(m for m in history.measured if m not in job.known))
            history.deaths += 1
            if history.deaths < MOST_DEATHS:
                self._again.append(replace(job, known=known))
                return
            outcome = replace(_given_up(outcome), measurements=known)
        del self._histories[job.trial_id]
        self._source.on_outcome(job, outcome)


def repeated(attempt: Callable[[], Outcome]) -> Outcome:
    """The outcome of an evaluation that reports nothing on its way, by the same rule."""
    for _ in range(MOST_DEATHS):
        outcome = attempt()
        if outcome.state is not State.CRASHED:
            return outcome
    return _given_up(outcome)


def _given_up(outcome: Outcome) -> Outcome:
    reason = f"died {MOST_DEATHS} times without a new epoch in between, last: {outcome.reason}"
    return replace(outcome, reason=reason)
