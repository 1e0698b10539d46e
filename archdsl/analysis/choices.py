"""What a study's trials chose, hole by hole, and which trials chose it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
        conditional: it exists only beside some options of other holes.
    """

    name: str
    options: tuple[Option, ...]
    conditional: bool

    @property
    def trials(self) -> int:
        """How many trials made this choice."""
        return sum(len(option.trials) for option in self.options)


def choices(trials: Sequence[Trial]) -> list[Choice]:
    """Every hole that the trials decided, in the order they first did.

    Args:
        trials: of one study; those without decisions, such as the base, are passed over.
    """
    decided = [trial for trial in trials if trial.params]
    names = dict.fromkeys(name for trial in decided for name in trial.params)
    found = []
    for name in names:
        by_value: dict[str, list[Trial]] = {}
        values: dict[str, Any] = {}
        for trial in decided:
            if name in trial.params:
                value = trial.params[name]
                label = value if isinstance(value, str) else json.dumps(value)
                values[label] = value
                by_value.setdefault(label, []).append(trial)
        options = _options(by_value, values)
        count = sum(map(len, by_value.values()))
        found.append(Choice(name=name, options=options, conditional=count < len(decided)))
    return found


def _options(
    by_value: Mapping[str, Sequence[Trial]], values: Mapping[str, Any]
) -> tuple[Option, ...]:
    numeric = all(_is_number(value) for value in values.values())
    labels = sorted(by_value, key=(lambda label: values[label]) if numeric else None)
    if not numeric or len(labels) <= MOST_OPTIONS:
        return tuple(Option(label=label, trials=tuple(by_value[label])) for label in labels)
    return tuple(
        Option(
            label=f"{run[0]} to {run[-1]}" if len(run) > 1 else run[0],
            trials=tuple(trial for label in run for trial in by_value[label]),
        )
        for run in _runs(labels, [len(by_value[label]) for label in labels])
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _runs(labels: Sequence[str], counts: Iterable[int]) -> list[list[str]]:
    """Neighbours brought together into a few ranges with about as many trials each."""
    weights = list(counts)
    total, passed = sum(weights), 0
    runs: list[list[str]] = [[] for _ in range(RANGES)]
    for label, weight in zip(labels, weights, strict=True):
        runs[min(RANGES - 1, RANGES * passed // total)].append(label)
        passed += weight
    return [run for run in runs if run]
