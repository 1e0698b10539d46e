"""A slot whose evaluations run in a thread of their own, told event by event.

Whoever follows several slots does so from one thread, which alone speaks to the search.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from archdsl.records import Job, Measurement, Outcome
from archdsl.runners.evaluation import OnMeasurement, OnReport

_KILL_SECONDS = 5.0
"""A worker that is being made cannot be ended before it is; nobody waits longer than this."""


@dataclass(frozen=True, kw_only=True)
class MeasurementEvent:
    """A quantity that was measured before dearer ones are."""

    measurement: Measurement


@dataclass(frozen=True, kw_only=True)
class ReportEvent:
    """A value on the way; the evaluation waits for the answer."""

    name: str
    epoch: int
    value: float


@dataclass(frozen=True, kw_only=True)
class OutcomeEvent:
    """What became of the candidate."""

    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class ErrorEvent:
    """What is no fault of the candidate's."""

    error: BaseException


Event = MeasurementEvent | ReportEvent | OutcomeEvent | ErrorEvent


class EvaluationSlot(Protocol):
    """Where candidates are evaluated, one at a time."""

    def evaluate(self, job: Job, *, report: OnReport, measured: OnMeasurement) -> Outcome:
        """What becomes of a candidate."""

    def close(self) -> None:
        """End the worker, whatever it is doing."""


class _AbandonedError(Exception):
    """Nobody follows the evaluation any more."""


class ThreadedSlot:
    """Evaluates one candidate at a time in a thread.

    Args:
        slot: where candidates are evaluated.
        on_event: takes each event, in that thread.
    """

    def __init__(self, slot: EvaluationSlot, on_event: Callable[[Event], None]) -> None:
        self._slot, self._on_event = slot, on_event
        self._answers: queue.SimpleQueue[str | _AbandonedError | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._abandoned = False

    def begin(self, job: Job) -> None:
        """Evaluate a candidate; the last of its events is `OutcomeEvent` or `ErrorEvent`."""
        self._abandoned = False
        self._answers = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._evaluate, args=(job,), daemon=True)
        self._thread.start()

    def answer(self, stop: str | None) -> None:
        """Answer a report: why the candidate is to be stopped, None when it goes on."""
        self._answers.put(stop)

    def abandon(self) -> None:
        """End whatever is under way, and the worker with it; no further event is told."""
        self._abandoned = True
        self._answers.put(_AbandonedError())
        deadline = time.monotonic() + _KILL_SECONDS
        self._slot.close()
        while self._thread is not None and self._thread.is_alive():
            if time.monotonic() > deadline:
                return  # the thread itself ends the worker, once it is made
            self._thread.join(timeout=0.05)
            self._slot.close()

    def _evaluate(self, job: Job) -> None:
        event: Event
        try:
            outcome = self._slot.evaluate(job, report=self._report, measured=self._measured)
            event = OutcomeEvent(outcome=outcome)
        except BaseException as error:  # to be raised where the search is
            event = ErrorEvent(error=error)
        if self._abandoned:
            self._slot.close()
        else:
            self._on_event(event)

    def _report(self, name: str, epoch: int, value: float) -> str | None:
        self._on_event(ReportEvent(name=name, epoch=epoch, value=value))
        answer = self._answers.get()
        if isinstance(answer, _AbandonedError):
            raise answer
        return answer

    def _measured(self, measurement: Measurement) -> None:
        if not self._abandoned:
            self._on_event(MeasurementEvent(measurement=measurement))
