"""Which trials cannot be told apart: their 95 % intervals overlap in every objective.

A trial on the robust front that another beats in point values is always among them: whatever beats
it there without removing it overlaps it in every objective.
"""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.store.rows import Trial

REASON = "their 95 % intervals overlap in every objective"


def alike(trials: Sequence[Trial]) -> dict[int, tuple[int, ...]]:
    """Number of each trial that cannot be told apart from some other, to the numbers of those.

    Trials that are equal for certain, without an interval in any objective, are not meant: no
    further measurement would part them.
    """
    if not trials:
        return {}
    first = next(iter(trials[0].values))
    ordered = sorted(trials, key=lambda trial: trial.values[first].low)
    found: dict[int, set[int]] = {}
    for place, trial in enumerate(ordered):
        for other in ordered[place + 1 :]:
            if other.values[first].low > trial.values[first].high:
                break
            if _overlap(trial, other) and (_is_uncertain(trial) or _is_uncertain(other)):
                found.setdefault(trial.number, set()).add(other.number)
                found.setdefault(other.number, set()).add(trial.number)
    return {number: tuple(sorted(found[number])) for number in sorted(found)}


def _overlap(trial: Trial, other: Trial) -> bool:
    return all(
        value.low <= other.values[name].high and other.values[name].low <= value.high
        for name, value in trial.values.items()
    )


def _is_uncertain(trial: Trial) -> bool:
    return any(value.low < value.high for value in trial.values.values())
