"""What a process on a machine of a cluster does with candidates; knows no Ray."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from archdsl.errors import ArchdslError, MeasureError
from archdsl.identity import canonical_json, differences
from archdsl.records import Job, Measurement, Outcome, State
from archdsl.runners.child import WorkerConfig
from archdsl.runners.evaluation import (
    OnMeasurement,
    OnReport,
    ignore_measurement,
    ignore_report,
    one_line,
)
from archdsl.runners.slot import WorkerSlot
from archdsl.runners.threaded_slot import (
    ErrorEvent,
    Event,
    MeasurementEvent,
    OutcomeEvent,
    ReportEvent,
    ThreadedSlot,
)

Protocols = Mapping[str, Mapping[str, Any]]
Lane = Callable[[Job], Outcome]
"""Measures a candidate's cheap quantities where the profile wants them measured."""

_THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True, kw_only=True)
class SlotConfig:
    """What every process of a search is told.

    Args:
        worker: what is measured there, and how.
        folder: the driver's current folder, where relative paths start.
        threads: the driver's own `OMP_NUM_THREADS`, if it has one.
    """

    worker: WorkerConfig
    folder: str
    threads: str | None


class RaySlot:
    """Evaluates the candidates that one process of a cluster gets.

    Args:
        config: of the driver.
        here: where this is, as `detail["machine"]` of what is measured here will say; asked in
            this process.
        lane: measures what is not in `config.worker.evaluate`.
    """

    def __init__(
        self, config: SlotConfig, *, here: Callable[[], dict[str, str]], lane: Lane | None = None
    ) -> None:
        with suppress(OSError):  # a machine without that folder has no use for relative paths
            os.chdir(config.folder)
        # Ray sets it to what a process holds; latencies would be measured with other threads.
        os.environ.pop(_THREADS, None)
        if config.threads is not None:
            os.environ[_THREADS] = config.threads
        self._machine = here()
        self._slot = WorkerSlot(config.worker)
        self._lane = lane
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._followed = ThreadedSlot(self, self._events.put)
        self._waiting = False
        self._refused: ErrorEvent | None = None

    def prepare(self, expected: Protocols | None = None) -> Protocols | ErrorEvent:
        """Quantity to protocol of what is measured here.

        Args:
            expected: what it must be; values measured otherwise are never compared.
        """
        try:
            protocols = self._slot.protocols()
            for quantity, protocol in protocols.items():
                self._refuse_other(quantity, protocol, (expected or {}).get(quantity))
        except ArchdslError as error:
            self._refused = self._refusal(error)
            return self._refused
        return protocols

    def check(self, job: Job) -> Sequence[str] | ErrorEvent:
        """What a person should know, or why a candidate can never be measured here."""
        try:
            return self._slot.check(job)
        except ArchdslError as error:
            return self._refusal(error)

    def measure(
        self, job: Job, expected: Protocols, quantity: str | None = None
    ) -> OutcomeEvent | ErrorEvent:
        """All that is measured here, or one quantity without bounds, while the caller waits.

        A slot that was started anew elsewhere must measure as is `expected`, too.
        """
        prepared = self.prepare(expected)
        if isinstance(prepared, ErrorEvent):
            return prepared
        try:
            if quantity is not None:
                outcome = self._marked(self._slot.score(job, quantity), job)
            else:
                outcome = self.evaluate(job, report=ignore_report, measured=ignore_measurement)
        except ArchdslError as error:
            return self._refusal(error)
        return OutcomeEvent(outcome=outcome)

    def begin(self, job: Job) -> None:
        """Evaluate a candidate; `next` tells what comes of it. One that was stopped ends first."""
        if self._waiting:
            self._followed.answer("stopped")
            while isinstance(self._events.get(), MeasurementEvent | ReportEvent):
                pass
        self._waiting = False
        if self._refused is None:
            self._followed.begin(job)

    def next(self) -> Event:
        """What happens next; after a report, calling this again says that it may go on."""
        if self._refused is not None:
            return self._refused
        if self._waiting:
            self._followed.answer(None)
        event = self._events.get()
        self._waiting = isinstance(event, ReportEvent)
        if not isinstance(event, ErrorEvent):
            return event
        if isinstance(event.error, ArchdslError):
            return self._refusal(event.error)
        return self._refusal(MeasureError(f"internal error: {one_line(event.error)}"))

    def evaluate(self, job: Job, *, report: OnReport, measured: OnMeasurement) -> Outcome:
        """The lane's part, then this process's own; see `WorkerSlot.evaluate`."""
        first = self._lane(job) if self._lane else Outcome(state=State.COMPLETE)
        if first.state is not State.COMPLETE:
            return first
        for measurement in first.measurements:
            if measurement not in job.known:
                measured(measurement)
        rest = self._slot.evaluate(
            job, report=report, measured=lambda made: measured(self._here(made))
        )
        rest = self._marked(rest, job)
        return replace(
            rest,
            measurements=(*first.measurements, *rest.measurements),
            seconds=first.seconds + rest.seconds,
        )

    def close(self) -> None:
        """End the worker, whatever it is doing."""
        self._slot.close()

    def end(self) -> None:
        """End the worker and what follows it."""
        self._followed.abandon()

    def _marked(self, outcome: Outcome, job: Job) -> Outcome:
        made = tuple(m if m in job.known else self._here(m) for m in outcome.measurements)
        return replace(outcome, measurements=made)

    def _here(self, measurement: Measurement) -> Measurement:
        return replace(measurement, detail={**measurement.detail, "machine": self._machine})

    def _refusal(self, error: ArchdslError) -> ErrorEvent:
        """An error that says where it was met."""
        if error.args and isinstance(error.args[0], str):
            error.args = (f"{self._machine['name']}: {error.args[0]}", *error.args[1:])
        return ErrorEvent(error=error)

    def _refuse_other(
        self, quantity: str, here: Mapping[str, Any], there: Mapping[str, Any] | None
    ) -> None:
        if there is None or canonical_json(dict(here)) == canonical_json(dict(there)):
            return
        words = dict.fromkeys(path[0] for path, _, _ in differences(here, there))
        found = "; ".join(
            f"{word}: {here.get(word)} here, {there.get(word)} there" for word in words
        )
        raise MeasureError(
            f"{quantity} would be measured otherwise here than on another machine of the cluster: "
            f"{found}\na latency_lane in the run profile measures all candidates on one machine"
        )
