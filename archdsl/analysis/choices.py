"""What a study's trials chose, hole by hole, and which trials chose it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archdsl.space.difference import format_option
from archdsl.store.rows import Trial

MOST_OPTIONS = 10
"""Of numbers; more are brought together into ranges."""
RANGES = 6


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of a hole, or a range of its numbers.

    Args:
        label: as text.
        trials: that took it.
    """

    label: str
    trials: tuple[Trial, ...]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One hole of the space.

    Args:
        name: of the hole.
        options: those that were taken, numbers in ascending order.
    """

    name: str
    options: tuple[Option, ...]


def choices(trials: Sequence[Trial]) -> list[Choice]:
    """Every hole that the trials decided, in the order they first did.

    Args:
        trials: of one study; those without decisions, such as the base, are passed over.
    """
    names = dict.fromkeys(name for trial in trials for name in trial.params)
    return [Choice(name=name, options=_options(name, trials)) for name in names]


def _options(name: str, trials: Sequence[Trial]) -> tuple[Option, ...]:
    by_label: dict[str, list[Trial]] = {}
    values: dict[str, Any] = {}
    for trial in trials:
        if name in trial.params:
            value = trial.params[name]
            label = format_option(value)
            values[label] = value
            by_label.setdefault(label, []).append(trial)
    numeric = all(_is_number(value) for value in values.values())
    labels = sorted(by_label, key=(lambda label: values[label]) if numeric else None)
    if not numeric or len(labels) <= MOST_OPTIONS:
        return tuple(Option(label=label, trials=tuple(by_label[label])) for label in labels)
    return tuple(
        Option(
            label=f"{run[0]} to {run[-1]}" if len(run) > 1 else run[0],
            trials=tuple(trial for label in run for trial in by_label[label]),
        )
        for run in _runs(labels, [len(by_label[label]) for label in labels])
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _runs(labels: Sequence[str], counts: Sequence[int]) -> list[list[str]]:
    """Neighbours brought together into a few ranges with about as many trials each."""
    total, passed = sum(counts), 0
    runs: list[list[str]] = [[] for _ in range(RANGES)]
    for label, count in zip(labels, counts, strict=True):
        runs[min(RANGES - 1, RANGES * passed // total)].append(label)
        passed += count
    return [run for run in runs if run]
