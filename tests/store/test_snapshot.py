"""How a search stands: what a person sees who looks on, and what that costs the search."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from archdsl.records import Measurement, State
from archdsl.store.owner import Owner
from archdsl.store.rows import StudyRow, Trial
from archdsl.store.store import Store, open_store

Add = Callable[..., Trial]
Complete = Callable[..., Trial]
Measure = Callable[..., Measurement]

DEAD = replace(Owner.current(), boot_id="an earlier one")


def test_what_runs_and_what_has_ended(
    store: Store, study: StudyRow, add: Add, complete: Complete, measure: Measure
) -> None:
    done = complete("done", latency=3.0, top1=80.0)
    trial = add("now")
    add("left", owner=DEAD)
    other = store.studies.ensure(name="other", document={}, objectives={"top1": "maximize"})
    add("other", study_id=other.id)
    store.measurements.record("now", measure("latency", 4.0, 0.1))
    for epoch, value in ((1, 40.0), (2, math.nan)):
        store.epochs.report(
            trial_id=trial.id, token=trial.token or "", epoch=epoch, name="top1", value=value
        )
    snapshot = store.snapshots.take(study.id)
    assert snapshot.study == study
    assert (snapshot.counts.counted, snapshot.counts.states[State.RUNNING]) == (3, 2)
    now, left = snapshot.running
    assert (now.number, now.alive, now.epoch, set(now.measured)) == (1, True, 2, {"latency"})
    assert math.isnan(now.reported["top1"]), "of the last epoch alone"
    assert (left.number, left.alive, left.epoch, left.measured) == (2, False, 0, frozenset())
    assert left.owner == str(DEAD)
    [ended] = snapshot.ended
    assert (ended.number, ended.state, ended.counted) == (0, State.COMPLETE, True)
    assert (dict(ended.values), ended.seconds) == ({"latency": 3.0, "top1": 80.0}, 1.5)
    assert ended.started <= ended.finished
    assert store.snapshots.take(study.id, after=done.finish_order or 0).ended == ()


def test_ended_in_commit_order(store: Store, study: StudyRow, add: Add, complete: Complete) -> None:
    add("slow")
    complete("first", latency=1.0, top1=1.0)
    complete("second", latency=1.0, top1=2.0)
    assert [each.number for each in store.snapshots.take(study.id).ended] == [1, 2]
    assert [each.values["top1"] for each in store.snapshots.take(study.id, after=1).ended] == [2.0]


def test_a_study_keeps_the_budget_that_was_asked_for_last(store: Store, url: str) -> None:
    def ensured(budget: int | None) -> int | None:
        return store.studies.ensure(
            name="a", document={"base": "b"}, objectives={"top1": "maximize"}, budget=budget
        ).budget

    assert [ensured(budget) for budget in (None, 5, None, 9, 4)] == [None, 5, 5, 9, 4]
    with open_store(url, read_only=True) as other:
        assert other.studies.find("a").budget == 4


@pytest.mark.parametrize("held", ["reader", "writer"])
def test_nobody_waits_for_the_other(
    store: Store, study: StudyRow, complete: Complete, url: str, held: str
) -> None:
    """A second's look in the middle of a commit, and a commit in the middle of a look."""
    complete("first", latency=1.0, top1=1.0)
    with open_store(url, read_only=True) as onlooker:
        if held == "writer":
            with store.database.write() as connection:
                connection.exec_driver_sql("UPDATE trials SET reason = 'not yet committed'")
                assert onlooker.snapshots.take(study.id).ended[0].reason is None
            return
        with onlooker.database.read() as connection:
            connection.exec_driver_sql("SELECT * FROM trials").all()
            complete("second", latency=2.0, top1=2.0)
        assert len(onlooker.snapshots.take(study.id).ended) == 2
