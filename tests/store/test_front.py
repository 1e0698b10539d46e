"""The views `front` and `front_robust`, by hand and against a brute-force front."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archdsl.store.rows import Study, Trial
from archdsl.store.store import Store, open_store

Complete = Callable[..., Trial]
Point = Sequence[tuple[float, float, float]]
"""Per objective: low, loss, high."""


def _members(store: Store, study: Study, *, robust: bool = False) -> list[str]:
    return [trial.arch_id for trial in store.front(study.id, robust=robust)]


def test_dominated_trials_are_left_out(store: Store, study: Study, complete: Complete) -> None:
    complete("fast", latency=5.0, top1=70.0)
    complete("good", latency=10.0, top1=80.0)
    complete("worse", latency=11.0, top1=79.0)
    complete("equal-latency", latency=10.0, top1=79.0)
    complete("twin-of-good", latency=10.0, top1=80.0)
    assert _members(store, study) == ["fast", "good", "twin-of-good"]
    assert store.front(study.id)[0].values["latency"].value == 5.0


def test_robust_keeps_what_intervals_cannot_tell_apart(
    store: Store, study: Study, complete: Complete
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
    store: Store, study: Study, complete: Complete, add: Callable[..., Trial]
) -> None:
    other = store.ensure_study(name="other", document={}, objectives={"latency": "maximize"})
    complete("aa", latency=10.0, top1=80.0)
    complete("bb", latency=1.0, study_id=other.id)
    complete("cc", latency=2.0, study_id=other.id)
    add("dd")
    assert _members(store, study) == ["aa"]
    assert _members(store, other) == ["cc"]
    assert store.front(99) == []


def test_any_sqlite_browser_can_read_the_views(
    path: Path, store: Store, study: Study, complete: Complete
) -> None:
    complete("aa", latency=10.0, top1=80.0)
    connection = sqlite3.connect(path)
    for view in ("front", "front_robust"):
        rows = connection.execute(
            f"SELECT study, number, arch_id, objective_values FROM {view}"
        ).fetchall()
        assert [row[:3] for row in rows] == [("digits", 0, "aa")]
        assert json.loads(rows[0][3]) == {"latency": 10.0, "top1": 80.0}
    connection.close()


def _insert(connection: sqlite3.Connection, points: Sequence[Point]) -> None:
    """Complete trials straight into the tables, as thousands of commits would take too long."""
    for table in ("trial_values", "trials", "measurements", "architectures", "studies"):
        connection.execute(f"DELETE FROM {table}")
    connection.execute("INSERT INTO studies VALUES (1, 's', 'd', '{}', '{}', '', NULL)")
    for number, point in enumerate(points):
        row, arch_id = number + 1, str(number)
        connection.execute("INSERT INTO architectures VALUES (?, '{}', '{}', '{}')", (arch_id,))
        connection.execute(
            "INSERT INTO measurements VALUES (?, ?, 'q', 'k', 0, 0, 0, '', '{}', '{}', '')",
            (row, arch_id),
        )
        connection.execute(
            "INSERT INTO trials VALUES"
            " (?, 1, ?, ?, 'complete', '{}', '{}', '{}', 0, 1, 0, NULL, 0, ?, '', '')",
            (row, number, arch_id, row),
        )
        for position, (low, loss, high) in enumerate(point):
            connection.execute(
                "INSERT INTO trial_values VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?)",
                (row, f"o{position}", position, row, loss, low, high, loss, low, high),
            )
    connection.commit()


def _numbers(connection: sqlite3.Connection, view: str) -> list[int]:
    query = f"SELECT number FROM {view} ORDER BY number"
    return [number for (number,) in connection.execute(query)]


def _brute_front(points: Sequence[Point], *, robust: bool) -> list[int]:
    def removes(b: Point, a: Point) -> bool:
        no_worse = all(mine[1] <= theirs[1] for mine, theirs in zip(b, a, strict=True))
        if robust:
            return no_worse and any(m[2] < t[0] for m, t in zip(b, a, strict=True))
        return no_worse and any(m[1] < t[1] for m, t in zip(b, a, strict=True))

    return [
        number
        for number, point in enumerate(points)
        if not any(removes(rival, point) for rival in points)
    ]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> sqlite3.Connection:
    path = tmp_path_factory.mktemp("front") / "archdsl.db"
    open_store(str(path)).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def _points() -> st.SearchStrategy[list[list[tuple[float, float, float]]]]:
    """Few different numbers, so that ties and equal trials are common."""
    value = st.builds(
        lambda loss, below, above: (loss - below, loss, loss + above),
        *(st.integers(0, high).map(float) for high in (6, 3, 3)),
    )
    return st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(value, min_size=width, max_size=width), max_size=14)
    )


@settings(max_examples=150, deadline=None)
@given(points=_points())
def test_views_agree_with_brute_force(
    tables: sqlite3.Connection, points: list[list[tuple[float, float, float]]]
) -> None:
    _insert(tables, points)
    assert _numbers(tables, "front") == _brute_front(points, robust=False)
    assert _numbers(tables, "front_robust") == _brute_front(points, robust=True)
    assert set(_numbers(tables, "front")) <= set(_numbers(tables, "front_robust"))


@pytest.mark.parametrize("spread", [0.1, 1e6])
def test_five_thousand_trials_none_dominated_stay_quick(
    tables: sqlite3.Connection, spread: float
) -> None:
    many = 5000
    _insert(
        tables,
        [
            [(loss - spread, loss, loss + spread) for loss in (float(n), float(many - n))]
            for n in range(many)
        ],
    )
    for view in ("front", "front_robust"):
        started = time.perf_counter()
        members = _numbers(tables, view)
        assert time.perf_counter() - started < 2.0
        assert len(members) == many
