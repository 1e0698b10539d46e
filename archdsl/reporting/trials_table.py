"""All trials of a study as a table: CSV by the standard library, Parquet by pyarrow."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from archdsl.errors import ArchdslError
from archdsl.identity import canonical_json
from archdsl.reporting.formatting import values_record
from archdsl.searching.final_score import final_quantities
from archdsl.searching.stored import ListedTrial
from archdsl.store.rows import StudyRow

Columns = Mapping[str, Sequence[Any]]
"""Name to the value of each trial; None where there is none."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
TEXTS = ("state", "reason", "arch_id", "difference", "started", "finished")


def trial_columns(study: StudyRow, trials: Sequence[ListedTrial]) -> Columns:
    """One row for each trial, whatever became of it.

    Number, state, reason, identity, difference from the base, times; each objective with the ends
    of its 95 % interval (`latency`, `latency_low`, `latency_high`); what that of a trained one is
    over (`top1_over`: `3 seeds`, `359 images`), `latency_steady` and `test_top1` where they are
    known; then `facts.…` and `params.…`.
    A column whose values are of several kinds holds them all as text.

    Args:
        study: its row.
        trials: all of them, by number.
    """
    rows = [_row(study, listed) for listed in trials]
    names = list(dict.fromkeys([*_fixed(study), *(name for row in rows for name in row)]))
    return {name: _of_one_kind([row.get(name) for row in rows]) for name in names}


def csv_table(columns: Columns) -> str:
    """The table as CSV with a heading; nothing where there is no value.

    A text that a spreadsheet would take for a formula has an apostrophe in front.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_cell, columns))
    texts = ([_cell(value) for value in values] for values in columns.values())
    writer.writerows(zip(*texts, strict=True))
    return text.getvalue()


def parquet_table(columns: Columns) -> bytes:
    """The table as Parquet.

    Raises:
        ArchdslError: pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ArchdslError(
            "writing Parquet needs pyarrow, which is not installed: "
            "pip install 'archdsl[export]', or write CSV with --csv"
        ) from None
    arrays = {
        name: pyarrow.array(values, type=_type_of_nothing(name) if _is_empty(values) else None)
        for name, values in columns.items()
    }
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(arrays), sink)
    found: bytes = sink.getvalue().to_pybytes()
    return found


def _fixed(study: StudyRow) -> list[str]:
    """Columns that are there even if no trial has a value for them."""
    ends = [f"{name}{end}" for name in study.objectives for end in ("", "_low", "_high")]
    return ["number", *TEXTS, "seconds", *ends]


def _is_empty(values: Sequence[Any]) -> bool:
    return all(value is None for value in values)


def _type_of_nothing(name: str) -> str:
    """One type for several studies, also for those in which a column has no value at all."""
    return "string" if name in TEXTS else "int64" if name == "number" else "float64"


def _row(study: StudyRow, listed: ListedTrial) -> dict[str, Any]:
    trial = listed.trial
    record = {
        "number": trial.number,
        "state": trial.state.value,
        "reason": trial.reason,
        "arch_id": trial.arch_id,
        "difference": listed.difference,
        "started": trial.started,
        "finished": trial.finished,
        "seconds": trial.seconds,
        "values": values_record(trial.values, listed.over),
        "latency_steady": listed.steady,
        **dict.fromkeys(final_quantities(study.objectives)),
        **listed.tests,
        "facts": listed.facts,
        "params": trial.params,
    }
    return flattened(record)


def flattened(record: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of a trial, by the names of columns; what is None has none."""
    columns: dict[str, Any] = {}
    for key, found in record.items():
        if key == "values":
            for name, value in found.items():
                columns |= {
                    name if end == "value" else f"{name}_{end}": value[end] for end in value
                }
        elif isinstance(found, Mapping):
            columns |= {f"{key}.{name}": each for name, each in found.items()}
        elif found is not None:
            columns[key] = found
    return columns


def _of_one_kind(values: Sequence[Any]) -> list[Any]:
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) < 2:
        return list(values)
    if kinds == {int, float}:
        return [None if value is None else float(value) for value in values]
    return [None if value is None else _text(value) for value in values]


def _cell(value: Any) -> str:
    text = _text(value)
    if not isinstance(value, str) or not text.startswith(_FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return canonical_json(value)
    return value if isinstance(value, str) else repr(value)
