"""Names, numbers and counts as people read them, wherever they stand."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from archdsl.analysis.aggregate import interval_over
from archdsl.document.messages import counted, listed
from archdsl.metrics import METRICS, TRAINED
from archdsl.printable import REPLACEMENT, clean
from archdsl.records import Measurement
from archdsl.store.rows import Value

SOFTWARE = "drawn by archdsl"
"""Stands at the beginning of every picture and page, so that a later one of the same study may
replace it unasked: see `drawn_of`."""

SIGNIFICANT = 3
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*(?:e[+-]?\d+)?", re.IGNORECASE)


def drawn_of(study: str) -> str:
    """What a page or picture says of who drew it, and of which study: that one's digest."""
    return f"{SOFTWARE} of study {study}"


def drawable(text: str, *, limit: int) -> str:
    """The text as the font of the pictures can draw it, at most `limit` characters long."""
    line = clean(text[: 4 * limit])
    known = _known_characters()
    drawn = "".join(c if ord(c) in known else REPLACEMENT for c in line)
    cut = len(drawn) > limit or len(text) > 4 * limit
    return drawn[: limit - 1].rstrip() + "…" if cut else drawn


def number(value: float) -> str:
    """At least three significant digits, no exponent: `0.0123`, `4.57`, `45.7`, `1,234`."""
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    return f"{value:,.{max(0, SIGNIFICANT - 1 - magnitude)}f}"


def plain_number(value: float) -> str:
    """As short as it can be said without an exponent: `0.5`, `20`, `1,500`."""
    digits = f"{value:,.10f}".rstrip("0").rstrip(".")
    return "0" if digits == "-0" else digits


def with_interval(found: Value | Measurement, over: str = "") -> str:
    """`45.7 (45.2 to 46.1)`, `45.7 (45.2 to 46.1 over 3 seeds)`; the value alone where there is no
    interval.

    Args:
        found: the value.
        over: what its interval is over, see `interval_over`; a measurement says so itself.
    """
    if found.low == found.high:
        return number(found.value)
    over = interval_over([found]) if isinstance(found, Measurement) else over
    ends = f"{number(found.low)} to {number(found.high)}{f' over {over}' if over else ''}"
    return f"{number(found.value)} ({ends})"


def values_record(values: Mapping[str, Value], over: Mapping[str, str]) -> dict[str, Any]:
    """Each objective's value as plain data, with what its interval is over where that is known."""
    return {
        name: {**vars(value), **({"over": over[name]} if name in over else {})}
        for name, value in values.items()
    }


def cut_with_count(line: str, *, limit: int) -> str:
    """The line; of a longer one its beginning and how much was cut off."""
    if len(line) <= limit:
        return line
    return f"{line[:limit]}… ({len(line) - limit:,} more characters)"


@cache
def _known_characters() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font  # takes its time: only for pictures

    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


def title(objective: str) -> str:
    """An objective's name; which accuracy it is must not be left open."""
    return f"validation {objective}" if objective in TRAINED else objective


def heading(objective: str) -> str:
    """`latency (ms)`."""
    unit = METRICS[objective].unit
    return f"{title(objective)} ({unit})" if unit else title(objective)


def format_value(objective: str, value: Value, over: str = "") -> str:
    """`2.00 ms (1.98 to 2.02)`."""
    number, _, interval = with_interval(value, over).partition(" ")
    unit = METRICS[objective].unit
    return " ".join(part for part in (number, unit, interval) if part)


def format_place(measurement: Measurement) -> str:
    """The device and batch of a latency or memory, the data of an accuracy, or the table."""
    protocol = measurement.protocol
    if "table" in protocol:
        return f"from the table {protocol['table']}, not measured"
    if measurement.quantity == "latency" or "fingerprint" in protocol:
        device = (protocol.get("fingerprint") or {}).get("name") or "a device of unknown name"
        return f"{device}, batch {protocol.get('batch')}, {protocol.get('dtype')}"
    return f"data {protocol.get('data')}, {counted(len(protocol.get('seeds', [])), 'seed')}"


def trials_listed(numbers: Sequence[int]) -> str:
    """`trial 3`, `trials 3, 7`."""
    return f"{'trial' if len(numbers) == 1 else 'trials'} {listed(numbers)}"


def format_state(state: str) -> str:
    """`out of memory`; a trial that was stopped was stopped early."""
    words = state.replace("_", " ")
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
