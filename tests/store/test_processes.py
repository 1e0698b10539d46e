"""Several processes on one database: an exact budget, no lock errors, nothing twice."""

from __future__ import annotations

import subprocess
import sys

import pytest
from sqlalchemy import select

from archdsl.records import State
from archdsl.store.store import open_store
from archdsl.store.tables import studies

pytestmark = pytest.mark.process

WORKER = """
import random, sys
from archdsl.records import Measurement, Outcome, State
from archdsl.store.errors import DuplicateTrialError
from archdsl.store.owner import Owner
from archdsl.store.rows import Architecture, NewTrial
from archdsl.store.store import open_store
url, worker = sys.argv[1], int(sys.argv[2])
draw = random.Random(worker)
sys.stdin.readline()
with open_store(url) as store:
    study = store.studies.ensure(name="s", document={}, objectives={"top1": "maximize"})
    while True:
        try:
            trial = store.trials.add(
                NewTrial(architecture=Architecture(arch_id=f"{draw.randrange(150):04x}")),
                study_id=study.id, budget=60, owner=Owner.current(),
            )
        except DuplicateTrialError:
            continue
        if trial is None:
            break
        top1 = Measurement(
            quantity="top1", value=draw.random(), low=0.0, high=1.0, unit="%", protocol={"w": 0}
        )
        store.epochs.report(trial_id=trial.id, token=trial.token, epoch=1, name="top1", value=1.0)
        store.trials.finish(
            trial_id=trial.id, token=trial.token,
            outcome=Outcome(state=State.COMPLETE, measurements=(top1,)), values={"top1": top1},
        )
"""


def test_eight_processes_make_the_database_and_keep_the_budget(url: str) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, url, str(number)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        _, errors = worker.communicate(timeout=60)
        assert (worker.returncode, errors) == (0, "")
    with open_store(url, create=False, read_only=True) as store:
        study = store.studies.find("s")
        trials = store.trials.all(study.id)
        assert [trial.number for trial in trials] == list(range(60))
        assert len({trial.arch_id for trial in trials}) == 60
        assert {trial.state for trial in trials} == {State.COMPLETE}
        orders = [trial.finish_order for trial in store.trials.finished(study.id)]
        assert orders == list(range(1, 61))
        assert store.claims.of_study(study.id) == []


def test_a_reader_sees_one_state_while_another_writes(url: str) -> None:
    names = select(studies.c.name)
    with open_store(url) as writer, open_store(url, read_only=True) as reader:
        with reader.database.read() as connection:
            assert connection.scalars(names).all() == []
            study = writer.studies.ensure(name="s", document={}, objectives={"top1": "maximize"})
            assert connection.scalars(names).all() == []
        assert reader.studies.all() == [study]
