"""The paper's figures beside those counted from the documents that stand for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from archdsl.document.messages import one_of
from archdsl.document.shelves import packaged
from archdsl.errors import NameNotFoundError
from archdsl.measuring.count import Count, count
from archdsl.plan.plan import Plan
from archdsl.plan.read import read_model
from archdsl.reproduction.published import ROWS, TITLES
from archdsl.reproduction.published_row import QUANTITIES, Document, Quantity, Row
from archdsl.reproduction.stored import StoredFigure, stored_figures
from archdsl.store.store import Store

COUNTED: tuple[Quantity, ...] = ("params_m", "gflops")
"""Quantities that a document alone determines; the others were measured."""

Verdict = Literal["reproduced", "differs", "published only"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One printed figure and what became of it.

    Args:
        table: number of the table.
        row: label of the row.
        quantity: params_m (millions), gflops (billions of multiply-adds), latency_ms or top1 (%).
        printed: the digits in the paper.
        computed: the same quantity counted from the document, in its convention; None where
            nothing but a measurement could tell.
        measured: what a store holds of it, where only a measurement could tell.
        convention: what the figure counts, as in `published_row.CONVENTIONS`.
        document: the model it belongs to.
        macs: multiply-adds with the products of attention; only beside computed gflops.
        verdict: whether the computed value has the printed digits.
        note: what one should know about the figure; may be empty.
    """

    table: int
    row: str
    quantity: Quantity
    printed: str
    computed: float | None
    convention: str
    document: Document
    measured: tuple[StoredFigure, ...]
    macs: int | None
    verdict: Verdict
    note: str


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
    planned, counted = cache(_plan), cache(_count)

    def figure(row: Row, quantity: Quantity) -> Figure:
        document = row.document_of(quantity)
        found: tuple[StoredFigure, ...] = ()
        if quantity not in COUNTED and store is not None:
            found = stored_figures(store, planned(document).arch_id, quantity)
        count = counted(document) if quantity in COUNTED else None
        return _figure(row, quantity, count, found)

    return [
        figure(row, quantity)
        for row in rows
        for quantity in QUANTITIES
        if quantity in row.published
    ]


def _plan(document: Document) -> Plan:
    # By path: a document of the same name in the current folder is not the paper's.
    path = packaged("specs") / f"{document.spec}.yaml"
    return read_model(str(path), document.set).plan


def _count(document: Document) -> Count:
    return count(_plan(document))


def _figure(
    row: Row, quantity: Quantity, found: Count | None, of_ours: tuple[StoredFigure, ...]
) -> Figure:
    printed = row.published[quantity]
    convention = row.convention_of(quantity)
    computed = None if found is None else _value(found, quantity, convention)
    return Figure(
        table=row.table,
        row=row.label,
        quantity=quantity,
        printed=printed,
        computed=computed,
        convention=convention,
        document=row.document_of(quantity),
        measured=of_ours,
        macs=found.macs if found is not None and quantity == "gflops" else None,
        verdict=_verdict(printed, computed),
        note=row.notes.get(quantity, ""),
    )


def _value(found: Count, quantity: Quantity, convention: str) -> float:
    if quantity == "params_m":
        return found.params_allocated / 1e6
    return (found.macs if convention == "full" else found.macs_fvcore) / 1e9


def _verdict(printed: str, computed: float | None) -> Verdict:
    if computed is None:
        return "published only"
    decimals = len(printed.partition(".")[2])
    return "reproduced" if f"{computed:.{decimals}f}" == printed else "differs"
