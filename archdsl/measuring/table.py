"""Values read from a CSV file in place of measuring and training; imports no torch.

A row is found by its `arch_id`, or by the candidate's decisions: one column per hole, named as the
hole is, empty where the row's branch does not have that hole. A base, which no decisions led to,
has a row without any, or else that of the decisions that would lead to it. The other columns are
quantities (`latency`, `memory`, `throughput`, `top1`, `test_top1`), the ends of their intervals
where known (`latency_low`, `latency_high`) and `seconds`, the virtual time of the row's training,
spent when its `top1` is read. Floats are compared as numbers: `0.50` is the decision 0.5.

Where the same candidate was measured or trained again, a column `repeat` counts its rows from 0.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from archdsl.document.messages import counted, listed
from archdsl.errors import MeasureError
from archdsl.identity import canonical_json
from archdsl.metrics import MEASURED, METRICS, TRAINED, on_test_images
from archdsl.records import Job, Measurement

EVALUATOR = "table/1"
UNITS = {name: METRICS[name].unit for name in MEASURED} | {
    on_test_images(name): METRICS[name].unit for name in TRAINED
}
_VALUE_COLUMNS = frozenset(
    {"seconds", "repeat", *(name + end for name in UNITS for end in ("", "_low", "_high"))}
)
_ALLOWED = (
    f"quantities ({', '.join(UNITS)}), each also with _low and _high at its end, seconds and repeat"
)
_AS_JSON = {"True": "true", "False": "false", "None": "null"}

Key = tuple[str, ...]


class RowError(MeasureError):
    """A table does not know a candidate, wherever it is read."""


class Table:
    """The rows of a CSV file, found in constant time.

    Args:
        path: the file.

    Raises:
        MeasureError: no such file, not UTF-8 text, no header, no rows, a row too short or too
            long, or two rows for one candidate.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            content = path.read_bytes()
            text = content.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise MeasureError(f"cannot read the table {path}: {error}") from None
        self.digest = hashlib.sha256(content).hexdigest()[:16]
        rows = csv.reader(io.StringIO(text, newline=""))
        self.columns = tuple(name.strip() for name in next(rows, ()))
        self.holes = tuple(name for name in self.columns if name not in _VALUE_COLUMNS)
        self.by_arch_id = "arch_id" in self.columns
        if len(set(self.columns)) != len(self.columns):
            raise MeasureError(f"{path}: two columns have the same name: {', '.join(self.columns)}")
        if not self.holes:
            raise MeasureError(
                f"{path}: no column tells which candidate a row is about; add arch_id, or one "
                "column per hole of the space"
            )
        self._rows = self._read(rows)

    def _read(self, rows: Any) -> dict[Key, tuple[int, dict[str, str]]]:
        found: dict[Key, tuple[int, dict[str, str]]] = {}
        for cells in rows:
            if not cells:
                continue
            line = rows.line_num
            if len(cells) != len(self.columns):
                columns = counted(len(self.columns), "column")
                raise MeasureError(
                    f"{self.path}:{line}: {counted(len(cells), 'cell')}, but {columns}"
                )
            row = dict(zip(self.columns, map(str.strip, cells), strict=True))
            key = self._key(row, row.get("repeat") or 0)
            if key in found:
                raise MeasureError(
                    f"{self.path}:{line}: the candidate of line {found[key][0]} once more"
                )
            found[key] = (line, row)
        if not found:
            raise MeasureError(
                f"{self.path}: no rows; a table has one for each candidate, with its values"
            )
        return found

    def check(self, holes: Sequence[str]) -> Sequence[str]:
        """See that the rows are of a space's candidates.

        Args:
            holes: the names of the space's.

        Returns:
            What a person should know, a sentence each: which rows no candidate has, which holes
            have no column.

        Raises:
            MeasureError: no candidate has a row.
        """
        if self.by_arch_id:
            return ()
        others = [name for name in self.holes if name not in holes]
        lost = [row for _, row in self._rows.values() if any(row[name] for name in others)]
        told: list[str] = []
        if lost:
            used = [name for name in others if any(row[name] for row in lost)]
            words = (
                f"{self.path}: no hole of the space is called {listed([repr(n) for n in used])}, "
                f"so that no candidate has {{}}; take the column out, or key the rows by arch_id; "
                f"columns may be its holes ({listed(holes) or 'none'}) and {_ALLOWED}"
            )
            if len(lost) == len(self._rows):
                raise MeasureError(words.format("a row"))
            told.append(words.format(f"{len(lost)} of the {len(self._rows)} rows"))
        if without := [name for name in holes if name not in self.holes]:
            told.append(
                f"{self.path}: no column for {listed(without)}, so that a candidate with such a "
                "decision has no row, and fails"
            )
        return told

    def has_values(self, column: str) -> bool:
        """Whether there is such a column, with anything in it."""
        return any(row.get(column) for _, row in self._rows.values())

    def _key(self, of: Mapping[str, Any], repeat: str | int) -> Key:
        """What a row is found by, from its own cells or from what is known of a candidate."""
        if self.by_arch_id:
            return (of["arch_id"], _normal(repeat))
        return (*(_normal(of.get(hole, "")) for hole in self.holes), _normal(repeat))

    def row(self, candidate: Job, *, repeat: int = 0) -> tuple[int, dict[str, str]]:
        """Line number and cells of a candidate's row.

        Raises:
            RowError: no such row, or a decision the table has no column for.
        """
        if self.by_arch_id:
            ways: list[Mapping[str, Any]] = [{"arch_id": candidate.arch_id}]
        else:
            ways = [candidate.params, *filter(None, [candidate.also])]
        for way in ways:
            self._refuse_unknown(way)
            found = self._rows.get(self._key(way, repeat))
            if found is not None:
                return found
        name = ", ".join(f"{hole} = {value}" for hole, value in ways[-1].items())
        if self.by_arch_id:
            name = f"arch_id {candidate.arch_id}"
        name = name or "no decisions (the base, whose values are not all among the options)"
        name += f", repeat = {repeat}" if repeat else ""
        raise RowError(f"{self.path}: no row for {name}")

    def _refuse_unknown(self, way: Mapping[str, Any]) -> None:
        unknown = [hole for hole in way if hole not in self.holes]
        if unknown:
            raise RowError(
                f"{self.path}: no column for the hole {', '.join(unknown)}; "
                f"columns are: {', '.join(self.columns)}"
            )


class TableEvaluator:
    """Reads one quantity of each candidate from a table.

    Args:
        quantity: a key of `UNITS`.
        table: where from.
        repeat: which of a candidate's rows.

    Raises:
        MeasureError: no column of that name, nothing in it, or none that counts repeats.
    """

    def __init__(self, *, quantity: str, table: Table, repeat: int = 0) -> None:
        if quantity not in table.columns:
            raise MeasureError(
                f"{table.path}: no column '{quantity}'; columns are: {', '.join(table.columns)}"
            )
        if not table.has_values(quantity):
            raise MeasureError(
                f"{table.path}: the column '{quantity}' is empty; it has the values of that "
                "quantity, one for each candidate"
            )
        self.quantity = quantity
        self._table = table
        if repeat and "repeat" not in table.columns:
            raise MeasureError(
                f"{table.path}: each candidate has one row; a column 'repeat', from 0, tells "
                "further ones apart"
            )
        self._repeat = repeat
        self._protocol: dict[str, Any] = {"evaluator": EVALUATOR, "table": table.digest}
        if repeat:
            self._protocol["repeat"] = repeat

    def protocol(self) -> Mapping[str, Any]:
        return self._protocol

    def check(self, candidate: Job) -> Sequence[str]:
        return self._table.check(candidate.holes)

    def measure(self, candidate: Job, *, report: Callable[[int, float], None]) -> Measurement:
        """
        Raises:
            RowError: no row of this candidate, or its cell is not a finite number.
        """
        line, row = self._table.row(candidate, repeat=self._repeat)
        value = self._number(line, row, self.quantity)
        low, high = (
            self._number(line, row, name) if row.get(name) else value
            for name in (f"{self.quantity}_low", f"{self.quantity}_high")
        )
        timed = self.quantity in TRAINED and "seconds" in row
        seconds = self._number(line, row, "seconds") if timed else 0.0
        return Measurement(
            quantity=self.quantity,
            value=value,
            low=low,
            high=high,
            unit=UNITS[self.quantity],
            protocol=self._protocol,
            detail={"line": line, "virtual_seconds": seconds},
        )

    def _number(self, line: int, row: Mapping[str, str], column: str) -> float:
        try:
            number = float(row[column])
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise RowError(
                f"{self._table.path}:{line}: {column} is '{row[column]}', not a finite number"
            )
        return number


def _normal(value: Any) -> str:
    """One text for a decision and for the cell that means it."""
    text = value if isinstance(value, str) else canonical_json(value)
    text = _AS_JSON.get(text, text)
    try:
        return repr(float(text))
    except ValueError:
        return text
