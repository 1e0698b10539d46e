"""Candidates on this machine, one or several at a time, each in a child process that may die.

Several children are followed by one thread each; the search is spoken to from the caller's thread
only, so that there is one writer and the search needs no locks.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from archdsl.records import Job, Outcome
from archdsl.runners.interfaces import JobSource
from archdsl.runners.repeating import RepeatingSource, repeated
from archdsl.runners.slot import WorkerSlot
from archdsl.runners.threaded_slot import (
    ErrorEvent,
    Event,
    MeasurementEvent,
    OutcomeEvent,
    ReportEvent,
    ThreadedSlot,
)


class LocalRunner:
    """Runs candidates on this machine.

    Args:
        slots: each for one candidate at a time; at least one.
    """

    def __init__(self, slots: Sequence[WorkerSlot]) -> None:
        self._slots = slots

    def protocols(self) -> Mapping[str, Mapping[str, Any]]:
        """Quantity to protocol of each evaluator; see `Runner.protocols`."""
        return self._slots[0].protocols()

    def check(self, job: Job) -> Sequence[str]:
        """Refuse a candidate that can never be measured; see `Runner.check`."""
        return self._slots[0].check(job)

    def run(self, source: JobSource) -> None:
        """Evaluate jobs until the source has no more; see `Runner.run`."""
        source = RepeatingSource(source)
        if len(self._slots) > 1:
            _SlotPool(self._slots, source).run()
            return
        while (job := source.next_job()) is not None:
            outcome = self._slots[0].evaluate(
                job,
                report=partial(source.on_report, job),
                measured=partial(source.on_measurement, job),
            )
            source.on_outcome(job, outcome)

    def score(self, jobs: Sequence[Job], quantity: str) -> Iterator[tuple[Job, Outcome]]:
        """Measure one quantity of each job; see `Runner.score`."""
        for job in jobs:
            yield job, repeated(partial(self._slots[0].score, job, quantity))

    def close(self) -> None:
        """End the child processes, if there are any."""
        for slot in self._slots:
            slot.close()


class _SlotPool:
    """The slots at work for one source."""

    def __init__(self, slots: Sequence[WorkerSlot], source: JobSource) -> None:
        self._source = source
        self._events: queue.SimpleQueue[tuple[int, Event]] = queue.SimpleQueue()
        self._followed = [
            ThreadedSlot(slot, partial(self._on_event, number)) for number, slot in enumerate(slots)
        ]
        self._idle = list(reversed(range(len(slots))))
        self._jobs: dict[int, Job] = {}

    def run(self) -> None:
        """Give out jobs and commit what becomes of them; an error ends what is under way."""
        try:
            self._give_out()
            while self._jobs:
                number, event = self._events.get()
                self._commit(number, event)
                if isinstance(event, OutcomeEvent):
                    self._give_out()
        finally:
            for number in self._jobs:
                self._followed[number].abandon()

    def _on_event(self, number: int, event: Event) -> None:
        self._events.put((number, event))

    def _give_out(self) -> None:
        while self._idle and (job := self._source.next_job()) is not None:
            number = self._idle.pop()
            self._jobs[number] = job
            self._followed[number].begin(job)

    def _commit(self, number: int, event: Event) -> None:
        job = self._jobs[number]
        match event:
            case MeasurementEvent(measurement=measurement):
                self._source.on_measurement(job, measurement)
            case ReportEvent(name=name, epoch=epoch, value=value):
                stop = self._source.on_report(job, name, epoch, value)
                self._followed[number].answer(stop)
            case OutcomeEvent(outcome=outcome):
                self._source.on_outcome(job, outcome)
                del self._jobs[number]
                self._idle.append(number)
            case ErrorEvent(error=error):
                raise error
