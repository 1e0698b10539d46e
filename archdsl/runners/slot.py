"""One worker at a time, replaced when it has died: what every runner slots its candidates in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archdsl.errors import MeasureError
from archdsl.measuring.evaluators import make_evaluators
from archdsl.records import Job, Outcome
from archdsl.runners.child import Child, MakeEvaluators
from archdsl.runners.evaluation import InProcess, OnMeasurement, OnReport
from archdsl.runners.interfaces import Bound
from archdsl.runners.profile import RunProfile

Worker = Child | InProcess
"""A look-up in a table cannot crash, so it needs no process of its own and no torch."""


class WorkerSlot:
    """A worker for what a study measures, a fresh one after each death.

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
        self._evaluate = dict(evaluate)
        self._profile = profile
        self._bounds = tuple(bounds)
        self._make = make
        self._worker: Worker | None = None

    def protocols(self) -> Mapping[str, Mapping[str, Any]]:
        """Quantity to protocol of each evaluator; see `Runner.protocols`."""
        return self._ready().protocols

    def check(self, job: Job) -> None:
        """Refuse a candidate that can never be measured; see `Runner.check`."""
        self._ready().check(job)

    def evaluate(self, job: Job, *, report: OnReport, measured: OnMeasurement) -> Outcome:
        """All that the study measures of a candidate, kept within its bounds.

        Args:
            job: the candidate.
            report: told of values on the way; its answer may stop the candidate.
            measured: told of what was measured before dearer quantities are.

        Raises:
            ArchdslError: what is no fault of the candidate's; see `Child.evaluate`.
        """
        worker = self._ready()
        return worker.evaluate(
            job,
            quantities=[name for name in worker.protocols if name in self._evaluate],
            bounds=self._bounds,
            report=report,
            measured=measured,
        )

    def score(self, job: Job, quantity: str) -> Outcome:
        """One quantity of a candidate, without bounds; see `Runner.score`."""
        worker = self._ready()
        if quantity not in worker.protocols:
            known = ", ".join(worker.protocols)
            raise MeasureError(f"this study cannot measure {quantity}; it measures: {known}")
        return worker.evaluate(job, quantities=[quantity])

    def close(self) -> None:
        """End the worker, if there is one."""
        if self._worker is not None:
            self._worker.end()
            self._worker = None

    def _ready(self) -> Worker:
        if self._worker is None or self._worker.ended:
            self._worker = self._fresh()
        return self._worker

    def _fresh(self) -> Worker:
        if all("table" in settings for settings in self._evaluate.values()):
            return InProcess(self._make(self._evaluate, self._profile))
        return Child(make=self._make, evaluate=self._evaluate, profile=self._profile)
