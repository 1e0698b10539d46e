"""The paper's figures beside those counted from the documents that stand for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from archdsl.document.messages import one_of
from archdsl.errors import NameNotFoundError
from archdsl.measuring.count import Count, count
from archdsl.records import Measurement
from archdsl.reproduction.published import QUANTITIES, ROWS, TITLES, Document, Quantity, Row
from archdsl.store.store import Store

STORED: Mapping[Quantity, str] = {"latency_ms": "latency", "top1": "top1"}
"""Published quantity that was measured to the one that stores hold; a document alone determines the
others."""

Verdict = Literal["reproduced", "differs", "published only"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One printed figure and what became of it.

    Args:
        row: of the paper's tables.
        quantity: params_m (millions), gflops (billions of multiply-adds), latency_ms or top1 (%).
        count: of the document; None where nothing but a measurement could tell.
        measured: what a store holds of it, where only a measurement could tell.
    """

    row: Row
    quantity: Quantity
    count: Count | None
    measured: tuple[Measurement, ...]

    @property
    def printed(self) -> str:
        """The digits in the paper."""
        return self.row.published[self.quantity]

    @property
    def document(self) -> Document:
        """The model it belongs to."""
        return self.row.document_of(self.quantity)

    @property
    def convention(self) -> str:
        """What it counts, as in `published.CONVENTIONS`."""
        return self.row.convention_of(self.quantity)

    @property
    def note(self) -> str:
        """What one should know about it; may be empty."""
        return self.row.notes.get(self.quantity, "")

    @property
    def computed(self) -> float | None:
        """The same quantity counted from the document, in its convention."""
        if self.count is None:
            return None
        if self.quantity == "params_m":
            return self.count.params_allocated / 1e6
        full = self.convention == "full"
        return (self.count.macs if full else self.count.macs_fvcore) / 1e9

    @property
    def macs(self) -> int | None:
        """Multiply-adds with the products of attention; only beside computed gflops."""
        return self.count.macs if self.count and self.quantity == "gflops" else None

    @property
    def verdict(self) -> Verdict:
        """Whether the computed value has the printed digits."""
        if self.computed is None:
            return "published only"
        decimals = len(self.printed.partition(".")[2])
        return "reproduced" if f"{self.computed:.{decimals}f}" == self.printed else "differs"


def rows_of(table: str | None) -> tuple[Row, ...]:
    """The published rows of a table, or all of them.

    Raises:
        NameNotFoundError: the paper's tables that are held here do not include it.
    """
    known = [str(number) for number in TITLES]
    if table is None:
        return ROWS
    if table not in known:
        raise NameNotFoundError(f"table {one_of(table, known)}")
    return tuple(row for row in ROWS if row.table == int(table))


def reproduce(rows: Iterable[Row], store: Store | None = None) -> list[Figure]:
    """Every figure of the rows; each distinct document is counted once.

    Args:
        rows: of the paper's tables.
        store: where measurements of ours are looked up.

    Raises:
        MeasureError: a document's plan and its traced module disagree.
    """
    planned = cache(Document.plan)
    counted = cache(lambda document: count(planned(document)))

    def figure(row: Row, quantity: Quantity) -> Figure:
        document = row.document_of(quantity)
        stored = STORED.get(quantity)
        measured: Iterable[Measurement] = ()
        if stored and store:
            measured = store.measurements.of_arch(planned(document).arch_id)
        return Figure(
            row=row,
            quantity=quantity,
            count=None if stored else counted(document),
            measured=tuple(each for each in measured if each.quantity == stored),
        )

    return [
        figure(row, quantity)
        for row in rows
        for quantity in QUANTITIES
        if quantity in row.published
    ]
