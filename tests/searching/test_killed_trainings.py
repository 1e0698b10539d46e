"""Trainings killed at random moments: the same tables, each continued from its checkpoint."""

from __future__ import annotations

import os
import random
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import archdsl
from archdsl.records import State
from archdsl.store.store import Store, open_store

pytestmark = pytest.mark.process

PROGRAM = Path(__file__).with_name("training_search_process.py")
TRIALS, EPOCHS, KILLS = 2, 5, 3
WORDS: dict[str, Any] = {
    "objectives": {"params": "minimize", "top1": "maximize"},
    "evaluate": {"top1": {"data": "digits", "recipe": {"batch": 16}, "epochs": EPOCHS}},
}

STOPPED: dict[str, Any] = {
    "objectives": {"top1": "maximize"},
    "evaluate": {"top1": {"data": "digits", "recipe": "small-images", "epochs": 3}},
    "stopping": {"type": "asha", "reduction": 2, "earliest": 1},
}


class Report(NamedTuple):
    """One line of a diary."""

    run: int
    trial: int
    epoch: int
    top1: float
    time: float


def start(db: str, *, epochs: int = 0, seconds: float = 0.0) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), "study.yaml", db, str(epochs), str(seconds)],
        # One thread: what two threads add up may depend on the machine's load. And no measurement
        # of another test makes these trainings wait.
        env={
            **os.environ,
            "ARCHDSL_LEASES": f"{db}-leases",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(Path(archdsl.__file__).parents[1]),
        },
    )


def diary(db: str) -> list[Report]:
    rows = [line.split() for line in Path(f"{db}.diary").read_text().splitlines()]
    return [Report(int(r), int(t), int(e), float(v), float(s)) for r, t, e, v, s in rows]


@pytest.mark.slow
def test_trainings_killed_at_random_moments(
    write_study: Callable[..., Path], trials_table: Callable[[Store], list[dict[str, Any]]]
) -> None:
    write_study("depth: {choose: [1, 3]}", trials=TRIALS, **WORDS)
    undisturbed = start("undisturbed.db")
    draw = random.Random(7)
    for _ in range(KILLS):
        killed = start("killed.db", epochs=draw.randint(2, 3), seconds=draw.uniform(0, 0.4))
        assert killed.wait(timeout=120) == -signal.SIGKILL
    assert start("killed.db").wait(timeout=120) == 0
    assert undisturbed.wait(timeout=120) == 0
    with open_store("undisturbed.db") as first, open_store("killed.db") as second:
        assert trials_table(second) == trials_table(first)
        assert epochs_of(second) == epochs_of(first)
        assert second.claims.of_study(second.studies.find("small").id) == []
    check_continued(diary("killed.db"))


@pytest.mark.slow
def test_trainings_that_are_stopped_are_stopped_after_kills_too(
    write_study: Callable[..., Path], trials_table: Callable[[Store], list[dict[str, Any]]]
) -> None:
    write_study("depth: {choose: [1, 2, 3]}", trials=3, **STOPPED)
    assert start("undisturbed.db").wait(timeout=120) == 0
    for epochs in (2, 3):
        assert start("killed.db", epochs=epochs).wait(timeout=120) == -signal.SIGKILL
    assert start("killed.db").wait(timeout=120) == 0
    with open_store("undisturbed.db") as first, open_store("killed.db") as second:
        table = trials_table(first)
        ends = [(trial["state"], trial["reason"]) for trial in table]
        assert State.STOPPED in dict(ends)
        assert State.COMPLETE in dict(ends)
        assert trials_table(second) == table
        assert epochs_of(second) == epochs_of(first)


def epochs_of(store: Store) -> list[Any]:
    return [
        store.epochs.of_trial(trial.id)
        for trial in store.trials.all(store.studies.find("small").id)
    ]


def check_continued(reports: list[Report]) -> None:
    """A run that continues tells at once of epochs it finds done; the others take their time."""
    known: set[tuple[int, int]] = set()
    trained: list[float] = []
    found: list[float] = []
    for before, report in pairwise(reports):
        known.add((before.trial, before.epoch))
        if before.run == report.run and before.trial == report.trial:
            again = (report.trial, report.epoch) in known
            (found if again else trained).append(report.time - before.time)
    assert len(found) >= KILLS, "every run but the first found epochs done"
    assert statistics.median(found) < statistics.median(trained) / 3
    values = {(report.trial, report.epoch): set[float]() for report in reports}
    for report in reports:
        values[report.trial, report.epoch].add(report.top1)
    assert all(len(seen) == 1 for seen in values.values()), "told again as they were"
