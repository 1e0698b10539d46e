"""Values, counts and names as sentences say them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from archdsl.objectives import OBJECTIVES
from archdsl.records import State
from archdsl.reporting.text import with_interval
from archdsl.store.rows import Value

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*(?:e[+-]?\d+)?", re.IGNORECASE)


def title(objective: str) -> str:
    """An objective's name; which accuracy it is must not be left open."""
    return "validation top1" if objective == "top1" else objective


def heading(objective: str) -> str:
    """`latency (ms)`."""
    unit = OBJECTIVES[objective].unit
    return f"{title(objective)} ({unit})" if unit else title(objective)


def value_words(objective: str, value: Value) -> str:
    """`2.00 ms (1.98 to 2.02)`."""
    number, _, interval = with_interval(value.value, value.low, value.high).partition(" ")
    unit = OBJECTIVES[objective].unit
    return " ".join(part for part in (number, unit, interval) if part)


def counted(count: int, noun: str) -> str:
    """`1 trial`, `1,200 trials`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(names: Sequence[object], *, most: int = 20) -> str:
    """`3, 7, 9 and 12 more`."""
    rest = len(names) - most
    return ", ".join(map(str, names[:most])) + (f" and {rest:,} more" if rest > 0 else "")


def trials_listed(numbers: Sequence[int]) -> str:
    """`trial 3`, `trials 3, 7`."""
    return f"{'trial' if len(numbers) == 1 else 'trials'} {listed(numbers)}"


def state_words(state: State) -> str:
    """`out of memory`; a trial that was stopped was stopped early."""
    words = state.value.replace("_", " ")
    return "stopped early" if words == "stopped" else words


def with_ranges(reasons: Sequence[str]) -> str:
    """Reasons that differ in numbers only as one, `1.1 to 2.3` where a number differs."""
    numbers = [_NUMBER.findall(reason) for reason in reasons]
    if len({len(found) for found in numbers}) > 1:
        return reasons[0]  # one holds the very mark that stands for a number in patterns
    shown = [*map(_range, zip(*numbers, strict=True)), ""]
    parts = _NUMBER.split(reasons[0])
    return "".join(part + number for part, number in zip(parts, shown, strict=True))


def _range(found: Sequence[str]) -> str:
    ordered = sorted(set(found), key=_size)
    return ordered[0] if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"


def _size(number: str) -> tuple[float, str]:
    """What to sort by; `1.2.3` is no number after all."""
    try:
        return float(number.replace(",", "")), number
    except ValueError:
        return 0.0, number


def alike_but_for_numbers(reasons: Sequence[str]) -> dict[str, list[int]]:
    """Reasons that differ in numbers only, as one: its pattern to the places of its reasons."""
    found: dict[str, list[int]] = {}
    for place, reason in enumerate(reasons):
        found.setdefault(_NUMBER.sub("#", reason), []).append(place)
    return found
