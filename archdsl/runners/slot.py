"""One worker at a time, replaced when it has died: what every runner slots its candidates in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archdsl.errors import MeasureError
from archdsl.records import Job, Outcome
from archdsl.runners.child import Child, NotReadyError, WorkerConfig
from archdsl.runners.evaluation import InProcess, OnMeasurement, OnReport

Worker = Child | InProcess
"""A look-up in a table cannot crash, so it needs no process of its own and no torch."""


class WorkerSlot:
    """A worker for what a study measures, a fresh one after each death.

    Args:
        config: what each of them is told.
    """

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        self._worker: Worker | None = None

    def protocols(self) -> Mapping[str, Mapping[str, Any]]:
        """Quantity to protocol of each evaluator; see `Runner.protocols`."""
        return self._ready().protocols

    def check(self, job: Job) -> Sequence[str]:
        """Refuse a candidate that can never be measured; see `Runner.check`."""
        return self._ready().check(job)

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
            quantities=[name for name in worker.protocols if name in self._config.evaluate],
            bounds=self._config.bounds,
            report=report,
            measured=measured,
        )

    def score(self, job: Job, quantity: str) -> Outcome:
        """One quantity of a candidate, without bounds; see `Runner.score`."""
        worker = self._ready()
        refuse_unmeasured(quantity, worker.protocols)
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
        config = self._config
        if all("table" in settings for settings in config.evaluate.values()):
            return InProcess(config.make(config.evaluate, config.profile))
        try:
            return Child(config)
        except NotReadyError:  # whoever kills workers may meet one that is just being made
            return Child(config)


def refuse_unmeasured(quantity: str, protocols: Mapping[str, Mapping[str, Any]]) -> None:
    """See that there is an evaluator of a quantity.

    Raises:
        MeasureError: there is none; names those that there are.
    """
    if quantity not in protocols:
        known = ", ".join(protocols)
        raise MeasureError(f"this study cannot measure {quantity}; it measures: {known}")
