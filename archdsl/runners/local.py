"""Candidates on this machine, one at a time, in a child process that may die."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from archdsl.measuring.evaluators import make_evaluators
from archdsl.records import Job, Outcome
from archdsl.runners.child import MakeEvaluators
from archdsl.runners.interfaces import Bound, JobSource
from archdsl.runners.profile import RunProfile
from archdsl.runners.slot import WorkerSlot


class LocalRunner:
    """Runs candidates on this machine.

    Args:
        evaluate: the study's `evaluate`: quantity to settings.
        profile: the run profile.
        bounds: the study's constraints on measured quantities.
        make: makes the evaluators; a function at the top of a module.
    """

    def __init__(
        self,
        *,
        evaluate: Mapping[str, Mapping[str, Any]],
        profile: RunProfile,
        bounds: Sequence[Bound] = (),
        make: MakeEvaluators = make_evaluators,
    ) -> None:
        self._slot = WorkerSlot(evaluate=evaluate, profile=profile, bounds=bounds, make=make)

    def protocols(self) -> Mapping[str, Mapping[str, Any]]:
        """Quantity to protocol of each evaluator; see `Runner.protocols`."""
        return self._slot.protocols()

    def check(self, job: Job) -> None:
        """Refuse a candidate that can never be measured; see `Runner.check`."""
        self._slot.check(job)

    def run(self, source: JobSource) -> None:
        """Evaluate jobs until the source has no more; see `Runner.run`."""
        while (job := source.next_job()) is not None:
            outcome = self._slot.evaluate(
                job,
                report=partial(source.on_report, job),
                measured=partial(source.on_measurement, job),
            )
            source.on_outcome(job, outcome)

    def score(self, jobs: Sequence[Job], quantity: str) -> Iterator[tuple[Job, Outcome]]:
        """Measure one quantity of each job; see `Runner.score`."""
        for job in jobs:
            yield job, self._slot.score(job, quantity)

    def close(self) -> None:
        """End the child process, if there is one."""
        self._slot.close()
