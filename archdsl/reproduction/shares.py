"""The paper's latencies as shares of ViT-B/16's, beside the same shares measured here.

Milliseconds of another device say nothing about the paper's; how much faster one network is than
another comes nearer to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archdsl.errors import NameNotFoundError
from archdsl.measuring.conditions import Conditions
from archdsl.reproduction.published import TABLE_3, TABLE_5, Document, Row

REFERENCE = Document(spec="vit-b-16")
TIMED_TABLES = ("2", "3", "4", "5")


@dataclass(frozen=True, kw_only=True)
class Share:
    """One row's latency beside the reference's.

    Args:
        row: in the paper.
        published_ms: the printed digits.
        published_share: of the reference's printed latency, the same table's where it has one.
        latency_ms: here, per batch.
        share: of the reference's latency here.
        low: lower end of the share's 95 % interval.
        high: upper end of it.
        disturbances: why it cannot be trusted, in words.
    """

    row: Row
    published_ms: str
    published_share: float
    latency_ms: float
    share: float
    low: float
    high: float
    disturbances: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Shares:
    """The shares of a table's rows, and what they were timed under."""

    rows: Sequence[Share]
    rounds: int
    protocol: Mapping[str, Any]


def timed_rows(table: str | None, rows: Iterable[Row]) -> list[Row]:
    """The rows of a table that print a latency.

    Raises:
        NameNotFoundError: no table is named, or one without latencies.
    """
    if table not in TIMED_TABLES:
        tables = ", ".join(TIMED_TABLES)
        found = "no table is named" if table is None else f"table {table} prints no latency"
        raise NameNotFoundError(f"{found}; --measure takes one of the tables {tables}")
    return [row for row in rows if "latency_ms" in row.published]


def measure_shares(
    rows: Sequence[Row],
    *,
    conditions: Conditions,
    limit_s: float,
    on_start: Callable[[int, str], None],
    reference: Document = REFERENCE,
) -> Shares:
    """Time each distinct network of the rows in rounds, the reference among them.

    Args:
        rows: of one table, each with a printed latency.
        conditions: see `measure_interleaved`.
        limit_s: seconds in all.
        on_start: called as on_start(round from 1, row's label) before a network is built.
        reference: whose time here is 1; the published shares are always of ViT-B/16.

    Raises:
        DeviceError: the device is not there.
        DeviceLockError: other processes do not leave the device in time.
    """
    from archdsl.measuring.interleaved import measure_interleaved

    base = reference.plan()
    own = [row.document.plan() for row in rows]
    plans = {plan.arch_id: plan for plan in [base, *own]}
    labels = {plan.arch_id: row.label for row, plan in zip(rows, own, strict=True)}
    found = measure_interleaved(
        plans,
        reference=base.arch_id,
        conditions=conditions,
        limit_s=limit_s,
        on_start=lambda number, name: on_start(number, labels.get(name, reference.spec)),
    )
    shares = []
    for row, plan in zip(rows, own, strict=True):
        printed = row.published["latency_ms"]
        name = plan.arch_id
        share, (low, high, _) = found.share(name, base.arch_id)
        shares.append(
            Share(
                row=row,
                published_ms=printed,
                published_share=float(printed) / _reference_ms(row.table),
                latency_ms=found.median_ms(name),
                share=share,
                low=low,
                high=high,
                disturbances=found.disturbances(name),
            )
        )
    return Shares(rows=shares, rounds=len(found.rounds), protocol=found.protocol)


def _reference_ms(table: int) -> float:
    """ViT-B/16's printed latency: Table 3's own in Table 3, Table 5's in all others."""
    rows = TABLE_3 if table == 3 else TABLE_5
    [row] = [row for row in rows if row.document == REFERENCE]
    return float(row.published["latency_ms"])
