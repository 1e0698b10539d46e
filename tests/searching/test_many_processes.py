"""Sixteen processes on one database: an exact budget, nothing lost, no lock error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import archdsl
from archdsl.records import Job, Outcome, State
from archdsl.runners.interfaces import Runner
from archdsl.runners.make import make_runner
from archdsl.runners.read import read_profile
from archdsl.searching import before
from archdsl.searching import run as search_run
from archdsl.searching.read import CheckedStudy
from archdsl.searching.run import SearchResult, run_search, watched_by
from archdsl.store.owner import Owner
from archdsl.store.owner import _process_start as started
from archdsl.store.store import open_store

pytestmark = pytest.mark.process

PROGRAM = Path(__file__).with_name("many_searches_process.py")
PROCESSES = 16
SPACE = """\
depth: {range: [1, 6]}
process: {dim: {range: [16, 96], step: 16}}
memory: {embed: {patch_size: {choose: [1, 2, 4]}}}
exchange: {read: {latent_ratio: {choose: [0.5, 1]}}}
"""

Prepare = Callable[[int], CheckedStudy]


@pytest.fixture
def prepare(
    study: Callable[..., CheckedStudy], write_values: Callable[[CheckedStudy], None]
) -> Prepare:
    def prepared(trials: int) -> CheckedStudy:
        checked = study(SPACE, trials=trials, constraints=["params_m <= 0.4"])
        write_values(checked)
        return checked

    return prepared


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest) -> str:
    return "crowd.db" if request.param == "sqlite" else request.getfixturevalue("postgres")


def search_together(db: str, *, killed: int = 0) -> list[int]:
    """The exit status of each process."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "study.yaml", db, str(PROCESSES), str(killed)],
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONPATH": str(Path(archdsl.__file__).parents[1]),
        },
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    assert done.stderr == ""
    statuses: list[int] = json.loads(done.stdout)
    return statuses


def check_whole(db: str, *, budget: int) -> None:
    with open_store(db, create=False, read_only=True) as store:
        row = store.studies.find("small")
        trials = store.trials.all(row.id)
        assert [trial.number for trial in trials] == list(range(len(trials)))
        assert sum(trial.counted for trial in trials) == budget
        assert len({trial.arch_id for trial in trials}) == len(trials)
        assert {trial.state for trial in trials} <= {State.COMPLETE, State.INFEASIBLE}
        assert all(len(trial.values) == 2 for trial in trials if trial.counted)
        orders = sorted(trial.finish_order or 0 for trial in trials)
        assert orders == list(range(1, len(trials) + 1))
        assert store.claims.of_study(row.id) == []


def test_sixteen_processes_make_one_study(prepare: Prepare, db: str) -> None:
    prepare(48)
    assert search_together(db) == [0] * PROCESSES
    check_whole(db, budget=48)


def test_a_budget_that_others_are_still_at_work_on(
    prepare: Prepare,
    run: Callable[..., SearchResult],
    db: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is no front yet, and nothing to complain of."""
    checked, other = prepare(1), Waiting()
    begin_elsewhere(other, checked, db, monkeypatch)
    with open_store(db) as store:
        done = run(checked, store=store)
    other.end()
    assert done.ran == 0
    assert "1 trial is still at work in another process" in (done.note or "")


def test_others_that_are_done_before_the_runner_has_ended(
    prepare: Prepare, run: Callable[..., SearchResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said is what holds at the end."""
    checked, other = prepare(1), Waiting()

    def slow(*arguments: Any, **words: Any) -> Runner:
        runner = make_runner(*arguments, **words)
        monkeypatch.setattr(runner, "close", other.end)
        return runner

    begin_elsewhere(other, checked, "crowd.db", monkeypatch)
    monkeypatch.setattr(before, "make_runner", slow)
    with open_store("crowd.db") as store:
        done = run(checked, store=store)
        states = store.trials.count(done.row.id).states
    assert (states[State.COMPLETE], states[State.RUNNING]) == (1, 0)
    assert done.ran == 0
    assert done.note == "another process had the last trial, and scores the front"


def begin_elsewhere(
    other: Waiting, checked: CheckedStudy, db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search in a thread that stands for another process: it claims in the name of the parent."""

    def search() -> None:
        watch = watched_by(other)
        run_search(checked, db=db, profile=read_profile("local"), observe=watch)

    parent = replace(Owner.current(), pid=os.getppid(), process_start=started(os.getppid()))
    monkeypatch.setattr(search_run, "_UNDER_WAY", OfManyProcesses())
    with monkeypatch.context() as patch:
        patch.setattr(Owner, "current", classmethod(lambda cls: parent))
        other.thread = threading.Thread(target=search)
        other.thread.start()
        assert other.at_work.wait(30)


class OfManyProcesses(set[tuple[str, str]]):
    """Searches of this process, which stand for those of several and know nothing of each other."""

    def __contains__(self, key: object) -> bool:
        return False

    remove = set.discard


class Waiting:
    """Has a trial under way until it is told to end."""

    def __init__(self) -> None:
        self.thread = threading.Thread()
        self.at_work, self._go_on = threading.Event(), threading.Event()

    def end(self) -> None:
        self._go_on.set()
        self.thread.join(30)

    def on_start(self, job: Job) -> None:
        self.at_work.set()
        self._go_on.wait(30)

    def on_epoch(self, job: Job, epoch: int, name: str, value: float) -> None: ...

    def on_end(self, job: Job, outcome: Outcome) -> None: ...


def test_some_of_the_crowd_are_killed(
    prepare: Prepare, run: Callable[..., SearchResult], db: str
) -> None:
    checked = prepare(48)
    statuses = search_together(db, killed=4)
    assert set(statuses[4:]) == {0}
    assert set(statuses[:4]) <= {0, -signal.SIGKILL}
    assert -signal.SIGKILL in statuses
    with open_store(db) as store:
        run(checked, store=store)
    check_whole(db, budget=48)
