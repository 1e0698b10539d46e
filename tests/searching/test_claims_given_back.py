"""A search that ends before its trials do gives them back, whatever ended it, while its process
lives on, as that of a notebook does."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from archdsl.errors import StoreError, StudyError
from archdsl.records import Job, Outcome, State
from archdsl.runners.read import read_profile
from archdsl.searching.read import CheckedStudy
from archdsl.searching.run import SearchResult, run_search, watched_by
from archdsl.store.store import Store, open_store

TRIALS = 4

# Another process that searches the same study.
OTHER = """
from archdsl.runners.read import read_profile
from archdsl.searching.read import read_study
from archdsl.searching.run import run_search

run_search(read_study("study.yaml"), db="archdsl.db", profile=read_profile("local"))
"""


class Watcher:
    """Does something when trial `at` starts."""

    def __init__(self, at: int, do: Callable[[], None]) -> None:
        self._at, self._do = at, do

    def on_start(self, job: Job) -> None:
        if job.number == self._at:
            self._do()

    def on_epoch(self, job: Job, epoch: int, name: str, value: float) -> None: ...

    def on_end(self, job: Job, outcome: Outcome) -> None: ...


Search = Callable[[Watcher], SearchResult]


@pytest.fixture
def checked(
    study: Callable[..., CheckedStudy], write_values: Callable[[CheckedStudy], None]
) -> CheckedStudy:
    made = study("depth: {range: [1, 6]}", trials=TRIALS)
    write_values(made)
    return made


@pytest.fixture
def search(checked: CheckedStudy, store: Store) -> Search:
    def searched(watcher: Watcher) -> SearchResult:
        watch = watched_by(watcher)
        return run_search(checked, db=store.place, profile=read_profile("local"), observe=watch)

    return searched


@pytest.fixture
def undisturbed(
    run: Callable[..., SearchResult], checked: CheckedStudy,
    trials_table: Callable[[Store], list[dict[str, Any]]],
) -> list[dict[str, Any]]:  # fmt: skip
    with open_store("undisturbed.db") as other:
        run(checked, store=other)
        return trials_table(other)


def raise_error() -> None:
    raise ZeroDivisionError("of a progress bar")


def raise_interrupt() -> None:
    raise KeyboardInterrupt


def nothing() -> None: ...


@pytest.mark.slow
@pytest.mark.parametrize(
    "ending", [(raise_error, ZeroDivisionError), (raise_interrupt, KeyboardInterrupt)]
)
def test_another_process_goes_on_at_once(
    search: Search, store: Store, undisturbed: list[dict[str, Any]],
    trials_table: Callable[[Store], list[dict[str, Any]]],
    ending: tuple[Callable[[], None], type[BaseException]],
) -> None:  # fmt: skip
    do, error = ending
    with pytest.raises(error):
        search(Watcher(2, do))
    row = store.studies.find("small")
    [claim] = store.claims.of_study(row.id)
    assert (claim.number, claim.alive) == (2, False)
    subprocess.run([sys.executable, "-c", OTHER], check=True, timeout=60)
    assert trials_table(store) == undisturbed


def test_it_is_not_held_against_the_trial(
    search: Search, store: Store, undisturbed: list[dict[str, Any]],
    trials_table: Callable[[Store], list[dict[str, Any]]],
) -> None:  # fmt: skip
    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            search(Watcher(2, raise_error))
    search(Watcher(2, nothing))
    assert trials_table(store) == undisturbed
    assert {trial["state"] for trial in trials_table(store)} == {State.COMPLETE}


def test_after_a_store_that_went_away_the_same_process_goes_on(
    search: Search, store: Store, undisturbed: list[dict[str, Any]],
    trials_table: Callable[[Store], list[dict[str, Any]]],
) -> None:  # fmt: skip
    """Where nothing can be written claims cannot be given back; the next search does it."""
    engine = create_engine("sqlite:///archdsl.db")

    def run_sql(*statements: str) -> None:
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def go_away() -> None:
        run_sql(
            *(
                f"CREATE TRIGGER gone_{table} BEFORE {change} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"
                for table, change in (("trials", "UPDATE"), ("claims", "UPDATE"))
            )
        )

    with pytest.raises(StoreError):
        search(Watcher(2, go_away))
    row = store.studies.find("small")
    assert [claim.alive for claim in store.claims.of_study(row.id)] == [True], "as others see it"
    run_sql("DROP TRIGGER gone_trials", "DROP TRIGGER gone_claims")
    engine.dispose()
    search(Watcher(2, nothing))
    assert trials_table(store) == undisturbed


def test_a_study_is_searched_once_at_a_time(
    search: Search, checked: CheckedStudy, store: Store, run: Callable[..., SearchResult]
) -> None:
    there, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        there.set()
        assert go_on.wait(timeout=60)

    first = threading.Thread(target=search, args=(Watcher(1, wait),))
    first.start()
    try:
        assert there.wait(timeout=60)
        with pytest.raises(StudyError, match="is being searched in this process already"):
            search(Watcher(9, nothing))
        with open_store("another.db") as other:
            run(checked, store=other)
    finally:
        go_on.set()
        first.join()
    assert store.trials.count(store.studies.find("small").id).states[State.COMPLETE] == TRIALS
