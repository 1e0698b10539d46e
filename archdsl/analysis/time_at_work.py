"""How long trials took together, however many ran side by side."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from archdsl.store.rows import EndedTrial

INTERRUPTED_SECONDS = 60
"""So much longer than it was at work, and a trial had to wait for its search to go on."""


def seconds_at_work(ended: Iterable[EndedTrial]) -> float:
    """The time in which at least one of the trials was at work, without the hours between two runs
    of a search."""
    spans = sorted(_span(trial) for trial in ended)
    total, covered = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, covered))
        covered = max(covered, end)
    return total


def _span(trial: EndedTrial) -> tuple[float, float]:
    """From begin to end; of a trial that was interrupted in between, the time it was at work."""
    start, end = _seconds(trial.started), _seconds(trial.finished)
    interrupted = end - start > trial.seconds + INTERRUPTED_SECONDS
    return (end - trial.seconds if interrupted else start), end


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
