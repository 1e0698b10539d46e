"""Frozen records that rooms hand to each other; plain data, JSON in and out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from archdsl.identity import digest

Json = Any
"""A JSON value: None, bool, int, float, str, or a list or dict of these."""


_TOLD = ("batch", "dtype", "data")
"""Of a protocol, in a word about a measurement."""
MOST_FRUITLESS = 3
"""So many searches that died with a trial, without a new epoch, and it is given up."""


class State(StrEnum):
    """What became of a trial."""

    RUNNING = "running"
    COMPLETE = "complete"
    STOPPED = "stopped"
    """Stopped early, by the rule of its study; the reason says what it fell short of."""
    INFEASIBLE = "infeasible"
    """Breaks a constraint: ended before whatever is dearer than the quantity that breaks it."""
    FAILED = "failed"
    """Raised an exception."""
    DIVERGED = "diverged"
    """The loss or a value became NaN or infinite."""
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    """Its worker died (segmentation fault, kill), and a second one, too; or the search itself did
    three times."""


RETRIABLE = (State.FAILED, State.OUT_OF_MEMORY, State.TIMED_OUT, State.CRASHED)
"""Ends that say as much of the place as of the candidate: another compiler, time limit or memory
might change them. No other place makes a network converge, or a constraint hold."""


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One quantity of one architecture under a stated protocol.

    Args:
        quantity: `latency`, `top1`, `test_top1`, `params`, `macs`, …
        value: the number, in `unit`.
        low: lower end of the 95 % interval, in `unit`.
        high: upper end of the 95 % interval, in `unit`.
        unit: as in `archdsl.metrics`: `ms` (per batch), `MiB`, `%`; empty for what is counted.
        protocol: everything that may change the value (conditions and fingerprint of a
            latency; data digest, recipe, seed and evaluator version of an accuracy). Two
            measurements with equal protocols are interchangeable; others never are.
        detail: samples, readings and notes; not part of the key.
    """

    quantity: str
    value: float
    low: float
    high: float
    unit: str
    protocol: Mapping[str, Any]
    detail: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        value, low, high = map(_short, (self.value, self.low, self.high))
        interval = f"({low} to {high})" if self.low < self.high else ""
        found = " ".join(filter(None, (self.quantity, value, self.unit, interval)))
        words = [f"{word} {self.protocol[word]}" for word in _TOLD if word in self.protocol]
        words += ["unsteady"] if self.steady is False else []
        return f"<Measurement: {', '.join([found, *words])}>"

    @property
    def steady(self) -> bool | None:
        """Whether its interval closed and nothing disturbed it; None where that is not judged."""
        found = self.detail.get("steady")
        return None if found is None else bool(found)

    @property
    def key(self) -> str:
        """What the store files the measurement under, beside architecture and quantity."""
        return digest(dict(self.protocol))


@dataclass(frozen=True, kw_only=True)
class Job:
    """One candidate on its way to a worker.

    Args:
        trial_id: row of the trial in the store.
        number: number of the trial in its study, from 0.
        arch_id: identity of the architecture.
        spec: the normalised model document.
        params: the decisions that led to it, hole name to value.
        also: of a base, which no decisions led to, those that would.
        known: measurements the store already holds; not made again.
        folder: where its checkpoints live.
        holes: where a study is checked before any candidate, the names of its space's holes.
    """

    trial_id: int
    number: int
    arch_id: str
    spec: Mapping[str, Any]
    params: Mapping[str, Any]
    known: tuple[Measurement, ...]
    folder: str
    also: Mapping[str, Any] = field(default_factory=dict)
    holes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a job.

    Args:
        state: any state but RUNNING.
        measurements: the values made or reused, one per quantity.
        reason: for every state but COMPLETE, one line a person understands.
        seconds: wall time the evaluation took (virtual seconds for a table).
        violation: by how much constraints are broken, summed relative to their bounds; 0 when kept.
        anywhere: whether a failure would be the same in every place: a table has no row.
    """

    state: State
    measurements: tuple[Measurement, ...] = ()
    reason: str | None = None
    seconds: float = 0.0
    violation: float = 0.0
    anywhere: bool = False
