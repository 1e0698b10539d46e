"""The layer-by-layer table as lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archdsl.cli.printing import aligned
from archdsl.document.messages import counted, rounded
from archdsl.reporting.drawing.layer_table import LayerTable

if TYPE_CHECKING:
    from archdsl.measuring.time_breakdown import PartTimes

TENTHS = 1000
"""Of a percent that make a whole."""


def layer_lines(table: LayerTable, times: PartTimes | None) -> list[str]:
    """Tokens, width, parameters, multiply-adds and, if measured, share of the time of each layer.

    Numbers are whole and add up to the last row; shares to 100.0 %.
    """
    rows = [
        [
            row.name,
            ", ".join(str(stream.tokens) for stream in row.streams.values()),
            ", ".join(str(stream.dim) for stream in row.streams.values()),
            f"{row.cost.params:,}",
            f"{row.cost.macs:,}",
        ]
        for row in table.rows
    ]
    if times:
        rows.append(["other", "", "", "", ""])
    rows.append(["total", "", "", f"{table.total.params:,}", f"{table.total.macs:,}"])
    heads = ["layer", "tokens", "width", "parameters", "multiply-adds"]
    if times:
        heads.append("time")
        shares = [row.share(times.shares) for row in table.rows]
        percents = _percents([*shares, times.shares["other"]])
        rows = [[*row, share] for row, share in zip(rows, [*percents, "100.0 %"], strict=True)]
    return [*aligned(heads, rows), *_notes(table, times)]


def _percents(shares: Sequence[float]) -> list[str]:
    """Shares of a whole in tenths of a percent that add up to 100.0: the largest rests go up."""
    exact = [share * TENTHS for share in shares]
    whole = [int(value // 1) for value in exact]
    by_rest = sorted(range(len(exact)), key=lambda place: whole[place] - exact[place])
    for place in by_rest[: TENTHS - sum(whole)]:
        whole[place] += 1
    return [f"{value / 10:.1f} %" for value in whole]


def _notes(table: LayerTable, times: PartTimes | None) -> list[str]:
    streams = ", ".join(table.plan.streams)
    notes = ["multiply-adds of one image; weights that layers share count where they are met first"]
    if len(table.plan.streams) > 1:
        notes.insert(0, f"tokens and width: {streams}")
    if times:
        notes.append(
            f"time: shares of an eager forward call in float32, batch {times.batch}, median "
            f"{rounded(times.call_ms)} ms with"
        )
        notes.append(
            f"the clocks in it; {times.device}, {counted(times.threads, 'thread')}, "
            f"torch {times.torch}; {times.calls} calls"
        )
        notes.append("these are shares, no latencies: `archdsl measure` says how long it takes")
    return notes
