"""Evaluation of one candidate: cheap quantities first, bounds, and what an error stands for."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from archdsl.device_lock import DeviceLockError
from archdsl.document.messages import rounded
from archdsl.errors import WriteError
from archdsl.free_memory import lacks_memory
from archdsl.identity import digest
from archdsl.measuring.evaluators import Evaluator
from archdsl.measuring.table import RowError
from archdsl.metrics import TRAINED
from archdsl.records import Job, Measurement, Outcome, State
from archdsl.runners.interfaces import Bound
from archdsl.runners.memory_preflight import Preflight

OnReport = Callable[[str, int, float], str | None]
"""Takes the quantity's name, the epoch and the value; returns why to stop now, if so. Returns only
once the value is kept, so that no worker runs ahead of what is stored."""
OnMeasurement = Callable[[Measurement], None]
"""Takes what was measured before dearer quantities are."""

_REASON_LENGTH = 300


class JobStopped(Exception):
    """The answer to a report: the evaluation ends here; says why."""


def ignore_report(name: str, epoch: int, value: float) -> None:
    """Takes reports where nobody follows them."""


def ignore_measurement(measurement: Measurement) -> None:
    """Takes measurements where nobody waits for them one by one."""


class InProcess:
    """Evaluates one candidate after the other in this process.

    Args:
        evaluators: cheap ones first.
        preflight: tries a training that is to come.
    """

    ended = False
    protocols: Mapping[str, Mapping[str, Any]]
    """Quantity to protocol of each evaluator."""

    def __init__(
        self, evaluators: Sequence[Evaluator], *, preflight: Preflight | None = None
    ) -> None:
        self._evaluators = {evaluator.quantity: evaluator for evaluator in evaluators}
        self._preflight = preflight
        self.protocols = {name: dict(e.protocol()) for name, e in self._evaluators.items()}

    def check(self, job: Job) -> Sequence[str]:
        """Refuse a candidate that can never be measured; see `Evaluator.check`.

        Raises:
            ArchdslError: why it cannot.
        """
        said = (each.check(job) for each in self._evaluators.values())
        return list(dict.fromkeys(itertools.chain.from_iterable(said)))

    def evaluate(
        self,
        job: Job,
        *,
        quantities: Sequence[str],
        bounds: Sequence[Bound] = (),
        report: OnReport = ignore_report,
        measured: OnMeasurement = ignore_measurement,
    ) -> Outcome:
        """Measure some quantities of a candidate; see `evaluate_job`."""
        return evaluate_job(
            job,
            [self._evaluators[name] for name in quantities],
            bounds=bounds,
            report=report,
            measured=measured,
            preflight=self._preflight,
        )

    def end(self) -> None:
        """Nothing was started."""


def evaluate_job(
    job: Job,
    evaluators: Sequence[Evaluator],
    *,
    bounds: Sequence[Bound],
    report: OnReport,
    measured: OnMeasurement = ignore_measurement,
    preflight: Preflight | None = None,
) -> Outcome:
    """Measure a candidate, cheap quantities first; stop at the first broken bound.

    An answer to a report that says why to stop ends the evaluation as stopped.

    Measurements the job already knows are reused when their protocol is the evaluator's. What an
    evaluator raises becomes the outcome's state and reason. A training that is still to come is
    tried before anything is measured: what does not fit into memory is known at once.

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
            if preflight is not None and _trains(job, evaluators):
                preflight(job)
                preflight = None
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
            ended = end(state_of(error), one_line(error))
            return replace(ended, anywhere=isinstance(error, RowError))
        if not math.isfinite(measurement.value):
            return end(State.DIVERGED, f"{measurement.quantity} is {measurement.value}")
        measurements.append(measurement)
        concerned = [bound for bound in bounds if bound.quantity == measurement.quantity]
        broken = [bound for bound in concerned if bound.excess(measurement.value) > 0]
        if broken:
            found = f"{measurement.quantity} is {rounded(measurement.value)} {measurement.unit}"
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
    return any(e.quantity in TRAINED and _known(job, e) is None for e in evaluators)


def _known(job: Job, evaluator: Evaluator) -> Measurement | None:
    candidates = [known for known in job.known if known.quantity == evaluator.quantity]
    if not candidates:
        return None
    key = digest(dict(evaluator.protocol()))
    return next((known for known in candidates if known.key == key), None)


def state_of(error: Exception) -> State:
    """Which end of a trial an exception stands for."""
    # By name: this module must not import torch where only tables are read.
    if any(kind.__name__ == "DivergedError" for kind in type(error).__mro__):
        return State.DIVERGED
    return State.OUT_OF_MEMORY if lacks_memory(error) else State.FAILED


def one_line(error: BaseException) -> str:
    """`TypeError: …` on one line."""
    text = " ".join(str(error).split())
    text = text if len(text) <= _REASON_LENGTH else text[:_REASON_LENGTH] + "…"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
