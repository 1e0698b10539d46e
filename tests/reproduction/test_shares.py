"""Published latencies as shares of one network's, beside the same shares measured here."""

from __future__ import annotations

import pytest

from archdsl.errors import NameNotFoundError
from archdsl.measuring.conditions import Conditions
from archdsl.reproduction.published import ROWS, TABLE_2, TABLE_3, TABLE_5, Document, Row
from archdsl.reproduction.reproduce import rows_of
from archdsl.reproduction.shares import measure_shares, timed_rows

SMALL = Document(spec="vittm-digits", set=("depth=1",))
ROWS_OF_5 = (
    Row(table=5, label="small", published={"latency_ms": "264.75"}, document=SMALL),
    Row(
        table=5,
        label="larger",
        published={"latency_ms": "529.5"},
        document=Document(spec="vittm-digits", set=("depth=3",)),
    ),
    Row(table=5, label="the same", published={"latency_ms": "1059.0"}, document=SMALL),
)


@pytest.mark.slow
def test_each_row_has_its_share() -> None:
    told: list[str] = []
    found = measure_shares(
        ROWS_OF_5,
        conditions=Conditions(device="cpu", batch=4, threads=1, max_seconds=0.05),
        limit_s=0.0,
        on_start=lambda number, label: told.append(label),
        reference=SMALL,
    )
    small, larger, same = found.rows
    assert [share.published_share for share in found.rows] == [0.5, 1.0, 2.0]
    assert small.share == 1.0
    assert larger.share > 1
    assert larger.latency_ms > 0
    assert (same.share, same.latency_ms) == (small.share, small.latency_ms)
    assert len(set(told)) == 2, "one network, one timing, whatever its rows"
    assert found.rounds == 3


@pytest.mark.parametrize("table", ["2", "3", "4", "5"])
def test_the_tables_with_latencies(table: str) -> None:
    rows = timed_rows(table, rows_of(table))
    assert rows and all("latency_ms" in row.published for row in rows)


@pytest.mark.parametrize(
    ("table", "found"), [(None, "no table is named"), ("1", "table 1 prints no latency")]
)
def test_other_tables_are_refused(table: str | None, found: str) -> None:
    with pytest.raises(NameNotFoundError, match=found):
        timed_rows(table, ROWS)


def test_the_tables_that_lack_the_reference_borrow_it() -> None:
    assert not any(row.document == Document(spec="vit-b-16") for row in TABLE_2)
    for table in (TABLE_3, TABLE_5):
        assert sum(row.document == Document(spec="vit-b-16") for row in table) == 1
