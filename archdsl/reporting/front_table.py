"""A front as a table: columns and cells, as pages and as terminals show them."""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.document.messages import listed
from archdsl.metrics import METRICS
from archdsl.records import Measurement
from archdsl.reporting.formatting import heading, number, title, with_interval
from archdsl.reporting.front import FrontRow
from archdsl.store.rows import Value

UNSTEADY = "~"
"""Before a latency that was not steady."""


class FrontTable:
    """Rows of a front on a page; columns that would be empty are left out.

    Args:
        rows: to show, in their order.
        objectives: whose values are shown.
    """

    INDISTINGUISHABLE, DIFFERENCE, NOTHING = "not told apart from", "differs from the base in", "–"

    def __init__(self, rows: Sequence[FrontRow], objectives: Sequence[str]) -> None:
        self._rows, self._objectives = rows, objectives
        tests = [row.test for row in rows if row.test]
        self.has_test = bool(tests)
        self.test_name, self._test_unit = (
            (tests[0].quantity.replace("_", " "), tests[0].unit) if tests else ("", "")
        )
        self.has_indistinguishable = any(row.indistinguishable for row in rows)

    @property
    def headings(self) -> list[str]:
        """Heading of each column."""
        headings = ["trial", *map(self.heading, self._objectives)]
        headings += [self.test_heading()] if self.has_test else []
        headings += [self.INDISTINGUISHABLE] if self.has_indistinguishable else []
        return [*headings, "params", self.DIFFERENCE]

    @property
    def cells(self) -> list[list[str]]:
        """Of each row, as plain text."""
        return [self._cells(row) for row in self._rows]

    def _cells(self, row: FrontRow) -> list[str]:
        cells = [self.label(row), *(self.value(row, name) for name in self._objectives)]
        if self.has_test:
            cells.append(self.test(row.test) if row.test else self.NOTHING)
        if self.has_indistinguishable:
            cells.append(self.indistinguishable(row.indistinguishable) or self.NOTHING)
        params = row.facts.get("params")
        cells.append(self.NOTHING if params is None else self.params(params))
        return [*cells, self.difference(row) or self.NOTHING]

    def value(self, row: FrontRow, objective: str) -> str:
        """An objective's value; a latency that was not steady is marked."""
        mark = UNSTEADY if objective == "latency" and not row.steady else ""
        return mark + self.figure(row.trial.values[objective])

    def heading(self, objective: str) -> str:
        return heading(objective)

    def test_heading(self) -> str:
        return f"{self.test_name} ({self._test_unit})"

    def label(self, row: FrontRow) -> str:
        return f"{row.trial.number} (base)" if row.base else str(row.trial.number)

    def figure(self, value: Value) -> str:
        return with_interval(value.value, value.low, value.high)

    def test(self, score: Measurement) -> str:
        return with_interval(score.value, score.low, score.high)

    def indistinguishable(self, others: Sequence[int]) -> str:
        return listed(others)

    def params(self, count: float) -> str:
        return f"{number(count / 1e6)} M"

    def difference(self, row: FrontRow) -> str:
        return row.difference


class TerminalTable(FrontTable):
    """Rows of a front on a terminal, where a line is short."""

    INDISTINGUISHABLE, DIFFERENCE, NOTHING = "not told from", "difference from the base", ""
    MOST_LISTED = 4
    MOST_SKEWED = 1.5
    """Of an interval's two sides: with more, ± would say what is not so of both."""

    def named_values(self, row: FrontRow) -> list[str]:
        """`latency 4.57 ±0.12 ms` for each objective."""
        return [
            f"{title(name)} {self.value(row, name)} {METRICS[name].unit}".strip()
            for name in row.trial.values
        ]

    def heading(self, objective: str) -> str:
        return f"{title(objective)} {METRICS[objective].unit}".strip()

    def test_heading(self) -> str:
        return f"{self.test_name} {self._test_unit}"

    def label(self, row: FrontRow) -> str:
        return str(row.trial.number)

    def figure(self, value: Value) -> str:
        """`4.57 ±0.12`, or `4.57 -0.05 +0.31`."""
        if value.low == value.high:
            return f"{value.value:.4g}"
        below, above = value.value - value.low, value.high - value.value
        digits = 2 if value.value >= 10 else 3
        shown = f"{value.value:.{digits}f}"
        if max(below, above) > self.MOST_SKEWED * min(below, above):
            return f"{shown} -{below:.{digits}f} +{above:.{digits}f}"
        return f"{shown} ±{(below + above) / 2:.{digits}f}"

    def test(self, score: Measurement) -> str:
        return f"{score.value:.2f}"

    def indistinguishable(self, others: Sequence[int]) -> str:
        return listed(others, most=self.MOST_LISTED, rest=" +{}")

    def params(self, count: float) -> str:
        return f"{count / 1e6:.2f} M"

    def difference(self, row: FrontRow) -> str:
        return "the base itself" if row.base else row.difference
