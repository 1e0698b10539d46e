"""All trials as a table: what a reader of several studies may count on."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from archdsl.records import State
from archdsl.reporting.trials_table import parquet_table, trial_columns
from archdsl.searching.stored import list_trials
from archdsl.store.store import Store

parquet = pytest.importorskip("pyarrow.parquet", reason="an extra")


def test_parquet_has_one_type_for_a_column_with_and_without_values(
    fill: Callable[..., Any], made: Callable[..., Any], store: Store
) -> None:
    whole = fill([made(values={"latency": 2.0, "top1": 90.0})], name="whole")
    broken = fill([made(sets=("depth=1",), state=State.FAILED, reason="it broke")], name="broken")
    first, second = (
        parquet.read_schema(
            io.BytesIO(parquet_table(trial_columns(study, list_trials(store, study))))
        )
        for study in (whole, broken)
    )
    for column in ("number", "state", "reason", "difference", "finished", "latency", "top1_low"):
        assert first.field(column).type == second.field(column).type
