"""The views `front` and `front_robust`, by hand and against a brute-force front."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import JSON, Table, create_engine, delete, insert

from archdsl.analysis.dominance import no_worse, nondominated
from archdsl.store.rows import StudyRow, Trial
from archdsl.store.store import Store, open_store
from archdsl.store.tables import architectures, measurements, studies, trial_values, trials

Complete = Callable[..., Trial]
FILLED = (studies, architectures, measurements, trials, trial_values)
Point = Sequence[tuple[float, float, float]]
"""Per objective: low, loss, high."""


def _members(store: Store, study: StudyRow, *, robust: bool = False) -> list[str]:
    return [trial.arch_id for trial in store.trials.front(study.id, robust=robust)]


def test_dominated_trials_are_left_out(store: Store, study: StudyRow, complete: Complete) -> None:
    complete("fast", latency=5.0, top1=70.0)
    complete("good", latency=10.0, top1=80.0)
    complete("worse", latency=11.0, top1=79.0)
    complete("equal-latency", latency=10.0, top1=79.0)
    complete("twin-of-good", latency=10.0, top1=80.0)
    assert _members(store, study) == ["fast", "good", "twin-of-good"]
    assert store.trials.front(study.id)[0].values["latency"].value == 5.0


def test_robust_keeps_what_intervals_cannot_tell_apart(
    store: Store, study: StudyRow, complete: Complete
) -> None:
    complete("good", latency=10.0, top1=80.0, spread=1.0)
    complete("overlaps", latency=11.0, top1=79.0, spread=1.0)
    complete("touches", latency=12.0, top1=80.0, spread=1.0)
    complete("apart", latency=12.5, top1=79.5, spread=1.0)
    complete("apart-but-better", latency=12.5, top1=80.5, spread=1.0)
    assert _members(store, study) == ["good", "apart-but-better"]
    assert _members(store, study, robust=True) == [
        "good",
        "overlaps",
        "touches",
        "apart-but-better",
    ]


def test_studies_do_not_meet_and_only_complete_trials_count(
    store: Store, study: StudyRow, complete: Complete, add: Callable[..., Trial]
) -> None:
    other = store.studies.ensure(name="other", document={}, objectives={"latency": "maximize"})
    complete("aa", latency=10.0, top1=80.0)
    complete("bb", latency=1.0, study_id=other.id)
    complete("cc", latency=2.0, study_id=other.id)
    add("dd")
    assert _members(store, study) == ["aa"]
    assert _members(store, other) == ["cc"]
    assert store.trials.front(99) == []


def test_any_client_can_read_the_views(
    url: str, store: Store, study: StudyRow, complete: Complete
) -> None:
    complete("aa", latency=10.0, top1=80.0)
    for view in ("front", "front_robust"):
        query = f"SELECT study, number, arch_id, objective_values FROM {view}"
        rows = _rows_by_hand(url, query)
        assert [row[:3] for row in rows] == [("digits", 0, "aa")]
        values = rows[0][3]
        shown = json.loads(values) if isinstance(values, str) else values
        assert shown == {"latency": 10.0, "top1": 80.0}


def _rows_by_hand(url: str, query: str) -> list[Any]:
    if "://" not in url:
        with closing(sqlite3.connect(url)) as connection:
            return connection.execute(query).fetchall()
    engine = create_engine(url)
    with engine.connect() as server:
        rows = [tuple(row) for row in server.exec_driver_sql(query)]
    engine.dispose()
    return rows


def _insert(store: Store, points: Sequence[Point]) -> None:
    """Complete trials straight into the tables, as thousands of commits would take too long."""
    rows: dict[Table, list[dict[str, Any]]] = {table: [] for table in FILLED}
    texts = ("created", "digest", "unit", "started", "quantity", "key")
    numbers = ("attempt", "violation", "seconds", "value", "low", "high")
    usual: dict[str, Any] = {"state": "complete", "counted": True}
    usual |= dict.fromkeys(texts, "") | dict.fromkeys(numbers, 0)
    rows[studies].append({"id": 1, "name": "s"})
    for number, point in enumerate(points):
        row, arch_id = number + 1, str(number)
        rows[architectures].append({"arch_id": arch_id})
        rows[measurements].append({"id": row, "arch_id": arch_id})
        rows[trials].append(
            {"id": row, "study_id": 1, "number": number, "arch_id": arch_id, "finish_order": row}
        )
        for position, (low, loss, high) in enumerate(point):
            place = {"trial_id": row, "objective": f"o{position}", "position": position}
            ends = {"loss": loss, "loss_low": low, "loss_high": high}
            ends |= {"value": loss, "low": low, "high": high}
            rows[trial_values].append({**place, **ends, "study_id": 1, "measurement_id": row})
    with store.database.write() as connection:
        for table in reversed(FILLED):
            connection.execute(delete(table))
        for table, given in rows.items():
            own = {name: value for name, value in usual.items() if name in table.c}
            own |= {column.name: {} for column in table.c if isinstance(column.type, JSON)}
            if given:
                connection.execute(insert(table), [own | each for each in given])


def _numbers(store: Store, view: str) -> list[int]:
    with store.database.read() as connection:
        return list(
            connection.exec_driver_sql(f"SELECT number FROM {view} ORDER BY number").scalars()
        )


def _brute_front(points: Sequence[Point], *, robust: bool) -> list[int]:
    def removes(b: Point, a: Point) -> bool:
        if not no_worse([loss for _, loss, _ in b], [loss for _, loss, _ in a]):
            return False
        if robust:
            return any(m[2] < t[0] for m, t in zip(b, a, strict=True))
        return any(m[1] < t[1] for m, t in zip(b, a, strict=True))

    return [
        number
        for number, point in enumerate(points)
        if not any(removes(rival, point) for rival in points)
    ]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def tables(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    postgres_schema: Callable[[], AbstractContextManager[str]],
) -> Iterator[Store]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = str(tmp_path_factory.mktemp("front") / "archdsl.db")
        else:
            url = stack.enter_context(postgres_schema())
        yield stack.enter_context(open_store(url))


def _points() -> st.SearchStrategy[list[list[tuple[float, float, float]]]]:
    """Few different numbers, so that ties and equal trials are common."""
    value = st.builds(
        lambda loss, below, above: (loss - below, loss, loss + above),
        *(st.integers(0, high).map(float) for high in (6, 3, 3)),
    )
    return st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(value, min_size=width, max_size=width), max_size=14)
    )


@pytest.mark.slow
@settings(max_examples=150)
@given(points=_points())
def test_views_agree_with_brute_force(
    tables: Store, points: list[list[tuple[float, float, float]]]
) -> None:
    _insert(tables, points)
    assert _numbers(tables, "front") == _brute_front(points, robust=False)
    losses = {number: tuple(loss for _, loss, _ in each) for number, each in enumerate(points)}
    assert set(_numbers(tables, "front")) == nondominated(losses)
    assert _numbers(tables, "front_robust") == _brute_front(points, robust=True)
    assert set(_numbers(tables, "front")) <= set(_numbers(tables, "front_robust"))


@pytest.mark.parametrize("spread", [0.1, 1e6])
def test_five_thousand_trials_none_dominated_stay_quick(tables: Store, spread: float) -> None:
    many = 5000
    _insert(
        tables,
        [
            [(loss - spread, loss, loss + spread) for loss in (float(n), float(many - n))]
            for n in range(many)
        ],
    )
    for view in ("front", "front_robust"):
        started = time.process_time()
        members = _numbers(tables, view)
        assert time.process_time() - started < 2.0
        assert len(members) == many
