"""What a search and a runner hand to each other, and refuse. Knows neither optuna nor torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from archdsl.errors import ArchdslError
from archdsl.metrics import relative_excess
from archdsl.records import Job, Measurement, Outcome


class RunnerError(ArchdslError):
    """A place that is not there, or not as its run profile says."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A constraint on a measured quantity; one that is broken ends a trial before dearer ones.

    Args:
        quantity: `latency`, `top1`, …
        operator: `<=` or `>=`: how a feasible value compares with `limit`.
        limit: in the quantity's unit (ms, %).
    """

    quantity: str
    operator: Literal["<=", ">="]
    limit: float

    def excess(self, value: float) -> float:
        """By how much `value` breaks the bound, relative to the limit; 0 when it keeps it."""
        over = value - self.limit if self.operator == "<=" else self.limit - value
        return relative_excess(max(over, 0.0), self.limit, at_zero=1.0)

    def __str__(self) -> str:
        return f"{self.quantity} {self.operator} {self.limit:g}"


class JobSource(Protocol):
    """The search's side: gives out jobs and takes in what became of them."""

    def next_job(self) -> Job | None:
        """The next candidate; None when there is no more to do."""

    def on_measurement(self, job: Job, measurement: Measurement) -> None:
        """A quantity that was measured before dearer ones, kept once this returns."""

    def on_report(self, job: Job, name: str, epoch: int, value: float) -> str | None:
        """A value on the way: quantity `name` of `job` after `epoch`, kept once this returns.

        Returns:
            Why the job is to be stopped now, on one line; None when it goes on.
        """

    def on_outcome(self, job: Job, outcome: Outcome) -> None:
        """The end of a job; called exactly once for each."""


class Runner(Protocol):
    """The executor's side."""

    def protocols(self) -> Mapping[str, Mapping[str, Any]]:
        """Quantity to protocol of each evaluator, for looking values up before measuring.

        Holds `test_top1` too where the study's `top1` has one. Asks the place where candidates
        run: its device and data decide.

        Raises:
            ArchdslError: that place cannot measure what the study asks for.
        """

    def check(self, job: Job) -> Sequence[str]:
        """Refuse a candidate that can never be measured, such as one whose data do not fit.

        Returns:
            What a person should know before anything is paid for, a sentence each.

        Raises:
            ArchdslError: why it cannot.
        """

    def run(self, source: JobSource) -> None:
        """Evaluate jobs until the source has no more.

        Raises:
            ArchdslError: as `protocols`.
        """

    def score(self, jobs: Sequence[Job], quantity: str) -> Iterator[tuple[Job, Outcome]]:
        """Measure one quantity of each job, `test_top1` of a front's members, without bounds.

        Raises:
            ArchdslError: as `protocols`, or no evaluator of that quantity.
        """

    def close(self) -> None:
        """End every process that was started."""
