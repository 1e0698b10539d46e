"""Evaluation of one candidate after the other: what a worker does, and the child's main loop.

Messages over the pipe are tuples whose first item is a word:

    parent to child                          child to parent
    ("prepare", make, evaluate, profile)     ("prepared", protocols) | ("refused", error)
    ("check", job)                               ("checked", None) | ("refused", error)
    ("evaluate", job, quantities, bounds)    ("measured", measurement)*, ("waited", seconds)*,
                                                 ("report", epoch, name, value)*,
                                                 ("outcome", outcome) | ("refused", error)
    ("go_on", reason | None)                     what answers each report: why to stop now, if so
"""

from __future__ import annotations

import math
import os
import pickle
import queue
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from archdsl.device_lock import DeviceLockError, waits_told
from archdsl.errors import ArchdslError, WriteError
from archdsl.measuring.evaluators import Evaluator
from archdsl.records import Job, Measurement, Outcome, State, digest
from archdsl.runners.interfaces import Bound
from archdsl.runners.memory_preflight import TRAINED, Preflight, make_preflight

OnReport = Callable[[str, int, float], str | None]
"""Takes the quantity's name, the epoch and the value; returns why to stop now, if so. Returns only
once the value is kept, so that no worker runs ahead of what is stored."""
OnMeasurement = Callable[[Measurement], None]
"""Takes what was measured before dearer quantities are."""

_REASON_LENGTH = 300
_MEMORY_WORDS = ("out of memory", "not enough memory", "can't allocate memory")


class JobStopped(Exception):
    """The answer to a report: the evaluation ends here; says why."""


def _untold(measurement: Measurement) -> None:
    """Where nobody waits for the measurements one by one."""


def evaluate_job(
    job: Job,
    evaluators: Sequence[Evaluator],
    *,
    bounds: Sequence[Bound],
    report: OnReport,
    measured: OnMeasurement = _untold,
    rehearse: Preflight | None = None,
) -> Outcome:
    """Measure a candidate, cheap quantities first; stop at the first broken bound.

    An answer to a report that says why to stop ends the evaluation as stopped.

    Measurements the job already knows are reused when their protocol is the evaluator's. What an
    evaluator raises becomes the outcome's state and reason. A training that is still to come is
    rehearsed before anything is measured: what does not fit into memory is known at once.

    Raises:
        WriteError: a full disk is no fault of the candidate's, and the next would fare no better.
        DeviceLockError: nor is a device that another process does not let go of.
    """
    measurements: list[Measurement] = []
    seconds = 0.0

    def end(state: State, reason: str | None = None, violation: float = 0.0) -> Outcome:
        return Outcome(
            state=state,
            measurements=tuple(measurements),
            reason=reason,
            seconds=seconds,
            violation=violation,
        )

    for left, evaluator in zip(range(len(evaluators) - 1, -1, -1), evaluators, strict=True):
        started = time.perf_counter()
        try:
            known = measurement = _known(job, evaluator)
            if rehearse is not None and _trains(job, evaluators):
                rehearse(job)
                rehearse = None
            if measurement is None:
                measurement = evaluator.measure(
                    job, report=partial(_report_or_stop, report, evaluator.quantity)
                )
                wall = time.perf_counter() - started
                seconds += measurement.detail.get("virtual_seconds", wall)
        except (WriteError, DeviceLockError):
            raise
        except JobStopped as stop:
            seconds += time.perf_counter() - started
            return end(State.STOPPED, str(stop))
        except Exception as error:
            seconds += time.perf_counter() - started
            return end(state_of(error), one_line(error))
        if not math.isfinite(measurement.value):
            return end(State.DIVERGED, f"{measurement.quantity} is {measurement.value}")
        measurements.append(measurement)
        concerned = [bound for bound in bounds if bound.quantity == measurement.quantity]
        broken = [bound for bound in concerned if bound.excess(measurement.value) > 0]
        if broken:
            found = f"{measurement.quantity} is {measurement.value:.4g} {measurement.unit}"
            asked = " and ".join(f"{bound} {measurement.unit}" for bound in broken)
            excess = sum(bound.excess(measurement.value) for bound in broken)
            return end(State.INFEASIBLE, f"{found}, but {asked} is asked for", excess)
        if left and known is None:
            measured(measurement)
    return end(State.COMPLETE)


def _report_or_stop(report: OnReport, quantity: str, epoch: int, value: float) -> None:
    reason = report(quantity, epoch, value)
    if reason is not None:
        raise JobStopped(reason)


def _trains(job: Job, evaluators: Sequence[Evaluator]) -> bool:
    return any(e.quantity == TRAINED and _known(job, e) is None for e in evaluators)


def _known(job: Job, evaluator: Evaluator) -> Measurement | None:
    candidates = [known for known in job.known if known.quantity == evaluator.quantity]
    if not candidates:
        return None
    key = digest(dict(evaluator.protocol()))
    return next((known for known in candidates if known.key == key), None)


def state_of(error: Exception) -> State:
    """Which end of a trial an exception stands for."""
    text = str(error).lower()
    # By name: this module must not import torch where only tables are read.
    names = {kind.__name__ for kind in type(error).__mro__}
    if "DivergedError" in names:
        return State.DIVERGED
    if names & {"OutOfMemoryError", "MemoryError"}:
        return State.OUT_OF_MEMORY
    if isinstance(error, RuntimeError) and any(words in text for words in _MEMORY_WORDS):
        return State.OUT_OF_MEMORY
    return State.FAILED


def one_line(error: BaseException) -> str:
    """`TypeError: …` on one line."""
    text = " ".join(str(error).split())
    text = text if len(text) <= _REASON_LENGTH else text[:_REASON_LENGTH] + "…"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def packed(error: ArchdslError) -> tuple[type[ArchdslError], tuple[Any, ...], dict[str, Any]]:
    """An error as parts that survive the pipe: pickle would call its class with other arguments."""
    return type(error), error.args, error.__dict__


def unpacked(
    kind: type[ArchdslError], arguments: tuple[Any, ...], attributes: Mapping[str, Any]
) -> ArchdslError:
    """The error again, of the same class."""
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(attributes)
    return error


def serve(connection: Connection) -> NoReturn:
    """Answer the parent's messages until it closes the pipe or dies, which ends this process."""
    evaluators: Mapping[str, Evaluator] = {}
    rehearse: Preflight | None = None

    def report(name: str, epoch: int, value: float) -> str | None:
        connection.send(("report", epoch, name, value))
        _, reason = pickle.loads(messages.get())
        stop: str | None = reason
        return stop

    def measured(measurement: Measurement) -> None:
        connection.send(("measured", measurement))

    def waited(seconds: float) -> None:
        connection.send(("waited", seconds))

    messages = _received(connection)
    while True:
        match pickle.loads(messages.get()):
            case ("prepare", make, evaluate, profile):
                try:
                    evaluators = {e.quantity: e for e in make(evaluate, profile)}
                    protocols = {name: dict(e.protocol()) for name, e in evaluators.items()}
                    rehearse = make_preflight(evaluate, profile)
                    connection.send(("prepared", protocols))
                except ArchdslError as error:
                    connection.send(("refused", packed(error)))
            case ("check", job):
                try:
                    for evaluator in evaluators.values():
                        evaluator.check(job)
                    connection.send(("checked", None))
                except ArchdslError as error:
                    connection.send(("refused", packed(error)))
            case ("evaluate", job, quantities, bounds):
                chosen = [evaluators[name] for name in quantities]
                try:
                    with waits_told(waited):
                        outcome = evaluate_job(
                            job,
                            chosen,
                            bounds=bounds,
                            report=report,
                            measured=measured,
                            rehearse=rehearse,
                        )
                    connection.send(("outcome", outcome))
                except (WriteError, DeviceLockError) as error:
                    connection.send(("refused", packed(error)))


def _received(connection: Connection) -> queue.SimpleQueue[bytes]:
    """Messages, read by a thread: it notices the parent's death in the midst of a training, too."""
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        try:
            while True:
                messages.put(connection.recv_bytes())
        except (EOFError, OSError):
            # The child leads its own group: this ends the data loaders it started, too.
            os.killpg(os.getpid(), signal.SIGKILL)

    threading.Thread(target=read, name="parent", daemon=True).start()
    return messages


def main(pipe: int) -> NoReturn:
    """Entry of the child process; `pipe` is its end of the pipe to the parent."""
    # Ctrl-C is the parent's to answer: it ends this process when it gives up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whatever a library prints must not mix with the parent's answers on standard output.
    os.dup2(2, 1)
    serve(Connection(pipe))
