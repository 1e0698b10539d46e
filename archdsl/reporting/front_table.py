"""A front as a table: columns and cells, as pages and as terminals show them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from archdsl.document.messages import listed, rounded
from archdsl.metrics import METRICS
from archdsl.reporting.formatting import number, title, with_interval
from archdsl.reporting.front import CompleteTrial
from archdsl.store.rows import Value

UNSTEADY = "~"
"""Before a latency that was not steady."""
UNUSED = "*"
"""Behind a trial part of whose network has no influence on the prediction."""


Column = tuple[str, Callable[[CompleteTrial], str]]
"""Its heading, and what stands below it of a trial; empty where there is nothing to say."""


class FrontTable:
    """Rows of a front on a page; columns that would be empty are left out.

    Args:
        rows: to show, in their order.
        objectives: whose values are shown.
    """

    INDISTINGUISHABLE, DIFFERENCE, NOTHING = "not told apart from", "differs from the base in", "–"

    def __init__(self, rows: Sequence[CompleteTrial], objectives: Sequence[str]) -> None:
        self._rows, self._objectives = rows, objectives
        self.tests = {name: score.unit for row in rows for name, score in row.tests.items()}
        self.has_indistinguishable = any(row.indistinguishable for row in rows)
        self.is_mixed = len({over for row in rows for over in row.over.values()}) > 1

    @property
    def columns(self) -> list[Column]:
        """Those that say something."""
        columns: list[Column] = [("trial", self.marked)]
        for name in self._objectives:
            heading = self.heading(title(name), METRICS[name].unit)
            columns.append((heading, partial(self.value, name)))
        for name, unit in self.tests.items():
            columns.append((self.heading(name.replace("_", " "), unit), partial(self.test, name)))
        if self.has_indistinguishable:
            columns.append((self.INDISTINGUISHABLE, self.indistinguishable))
        if not {"params", "params_m"} & set(self._objectives):
            columns.append(("params", self.params))
        return [*columns, (self.DIFFERENCE, self.difference)]

    @property
    def headings(self) -> list[str]:
        """Heading of each column."""
        return [heading for heading, _ in self.columns]

    @property
    def cells(self) -> list[list[str]]:
        """Of each row, as plain text."""
        return [[tell(row) or self.NOTHING for _, tell in self.columns] for row in self._rows]

    def value(self, objective: str, row: CompleteTrial) -> str:
        """An objective's value; a latency that was not steady is marked."""
        over = row.over.get(objective, "")
        return self.mark(objective, row) + self.rounded(row.trial.values[objective], over)

    def mark(self, objective: str, row: CompleteTrial) -> str:
        return UNSTEADY if objective == "latency" and not row.steady else ""

    def heading(self, name: str, unit: str) -> str:
        return f"{name} ({unit})" if unit else name

    def marked(self, row: CompleteTrial) -> str:
        """Which trial it is; marked where it is partly computed for nothing."""
        return f"{self.label(row)}{UNUSED if row.unused else ''}"

    def label(self, row: CompleteTrial) -> str:
        return row.label

    def rounded(self, value: Value, over: str) -> str:
        return with_interval(value, over)

    def test(self, name: str, row: CompleteTrial) -> str:
        return with_interval(row.tests[name]) if name in row.tests else ""

    def indistinguishable(self, row: CompleteTrial) -> str:
        return listed(row.indistinguishable)

    def params(self, row: CompleteTrial) -> str:
        return f"{number(row.facts['params'] / 1e6)} M" if "params" in row.facts else ""

    def difference(self, row: CompleteTrial) -> str:
        return row.difference


class TerminalTable(FrontTable):
    """Rows of a front on a terminal, where a line is short."""

    INDISTINGUISHABLE, DIFFERENCE, NOTHING = "not told from", "difference from the base", ""
    MOST_LISTED = 4
    MOST_SKEWED = 1.5
    """Of an interval's two sides: with more, ± would say what is not so of both."""

    def named_values(self, row: CompleteTrial) -> list[str]:
        """`latency 4.57 ±0.12 ms` for each objective; of a trained one also what that is over."""
        return [
            f"{title(name)} {self.mark(name, row)}{self._short(value)} {METRICS[name].unit}".strip()
            + (f" over {row.over[name]}" if name in row.over else "")
            for name, value in row.trial.values.items()
        ]

    def heading(self, name: str, unit: str) -> str:
        return f"{name} {unit}".strip()

    def label(self, row: CompleteTrial) -> str:
        return str(row.trial.number)

    def rounded(self, value: Value, over: str) -> str:
        """`4.57 ±0.12`, or `4.57 -0.05 +0.31`; what that is over where the rows differ in it."""
        return f"{self._short(value)} over {over}" if over and self.is_mixed else self._short(value)

    def _short(self, value: Value) -> str:
        if value.low == value.high:
            return rounded(value.value)
        below, above = value.value - value.low, value.high - value.value
        digits = 2 if value.value >= 10 else 3
        shown = f"{value.value:.{digits}f}"
        if max(below, above) > self.MOST_SKEWED * min(below, above):
            return f"{shown} -{below:.{digits}f} +{above:.{digits}f}"
        return f"{shown} ±{(below + above) / 2:.{digits}f}"

    def test(self, name: str, row: CompleteTrial) -> str:
        return f"{row.tests[name].value:.2f}" if name in row.tests else ""

    def indistinguishable(self, row: CompleteTrial) -> str:
        return listed(row.indistinguishable, most=self.MOST_LISTED, rest=" +{}")

    def params(self, row: CompleteTrial) -> str:
        return f"{row.facts['params'] / 1e6:.2f} M" if "params" in row.facts else ""

    def difference(self, row: CompleteTrial) -> str:
        return "the base itself" if row.base else row.difference


def page_table(
    rows: Sequence[CompleteTrial],
    columns: Sequence[Column],
    *,
    caption: str,
    cards: Collection[int] = (),
) -> dict[str, Any]:
    """What `candidates` of the template `parts.html` shows.

    Args:
        rows: in their order.
        columns: of the table.
        caption: above it.
        cards: numbers of the trials that have a card to link to.
    """
    return {
        "caption": caption,
        "headings": [heading for heading, _ in columns],
        "long": ["candidate", FrontTable.INDISTINGUISHABLE, FrontTable.DIFFERENCE],
        "rows": [
            {
                "cells": [tell(row) or FrontTable.NOTHING for _, tell in columns],
                "kind": "base" if row.base else "member" if row.member else "dominated",
                "link": f"trial-{row.trial.number}" if row.trial.number in cards else "",
            }
            for row in rows
        ],
    }
