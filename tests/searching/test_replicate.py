"""Settling a front: who is measured again, how often, and that nothing is spent twice.

The candidates of depth 1 and 3 cannot be told apart, nor those of depth 5 and 6; the others can.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import archdsl
from archdsl.analysis.indistinguishable import indistinguishable
from archdsl.errors import MeasureError, StudyError
from archdsl.runners.read import read_profile
from archdsl.searching.read import CheckedStudy
from archdsl.searching.replicate import (
    Replicate,
    Replicated,
    ReplicationCost,
    counted,
    replicate,
    replication_cost,
)
from archdsl.searching.run import SearchResult
from archdsl.store.rows import StudyRow
from archdsl.store.store import Store, open_store

HEAD = "depth,repeat,latency,latency_low,latency_high,top1,top1_low,top1_high\n"
SEARCHED = [
    "1,,1.0,0.8,1.2,50,48,52",
    "3,,1.1,0.9,1.3,51,49,53",
    "4,,3.0,3.0,3.0,60,60,60",
    "5,,5.0,4.8,5.2,70,68,72",
    "6,,5.3,5.1,5.5,69,67,71",
    ",,9.0,8.9,9.1,65,64,66",
]
# Once more: depths 1 and 3 part in latency, 5 and 6 do not part before the second time.
AGAIN = [
    "1,1,0.9,0.8,1.0,50,48,52",
    "3,1,1.5,1.4,1.6,51,49,53",
    "5,1,5.1,5.0,5.2,70,68,72",
    "6,1,5.2,5.1,5.3,69,67,71",
    "5,2,4.9,4.8,5.0,71,69,73",
    "6,2,5.4,5.3,5.5,67,65,69",
]
SPACE = "depth: {choose: [1, 3, 4, 5, 6]}"

# Settles and kills itself when the nth purchase begins.
KILLED = """
import os, signal, sys
from archdsl.runners.read import read_profile
from archdsl.searching.replicate import replication_cost, replicate
from archdsl.store.store import open_store

def watch(purchase, before):
    if len(before) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

with open_store(sys.argv[1]) as store:
    study = store.studies.find("small")
    replicate(store, study, agreed=replication_cost(store, study, rounds=2), rounds=2,
           profile=read_profile("local"), watch=watch)
"""

Values = dict[str, dict[str, tuple[float, float, float]]]


@pytest.fixture
def searched(
    study: Callable[..., CheckedStudy], run: Callable[..., SearchResult], folder: Path
) -> StudyRow:
    (folder / "values.csv").write_text("\n".join([HEAD.strip(), *SEARCHED, *AGAIN]) + "\n")
    return run(study(SPACE, trials=6)).row


def settled(
    store: Store, row: StudyRow, *, rounds: int, agreed: ReplicationCost | None = None
) -> Replicated:
    return replicate(
        store,
        row,
        agreed=agreed or replication_cost(store, row, rounds=rounds),
        rounds=rounds,
        profile=read_profile("local"),
        watch=lambda purchase, before: None,
    )


def depths(store: Store, purchases: list[Replicate]) -> set[int]:
    return {purchase.trial.params["depth"] for purchase in purchases}


def values(store: Store) -> Values:
    row = store.studies.find("small")
    return {
        trial.arch_id: {n: (v.low, v.value, v.high) for n, v in trial.values.items()}
        for trial in store.trials.all(row.id)
    }


def test_only_what_cannot_be_told_apart_is_paid_for(store: Store, searched: StudyRow) -> None:
    agreed = replication_cost(store, searched, rounds=1)
    assert depths(store, list(agreed.purchases)) == {1, 3, 5, 6}
    assert counted(agreed.purchases) == {"measurements": 8, "trainings": 0}, "a table"
    assert len(agreed.indistinguishable) == 4
    before = len(store.trials.all(searched.id))
    done = settled(store, searched, rounds=1)
    assert depths(store, list(done.made)) == {1, 3, 5, 6}
    assert not done.failed
    assert len(store.trials.all(searched.id)) == before
    by_depth = {t.params.get("depth"): t for t in store.trials.all(searched.id)}
    assert by_depth[1].values["latency"].value == pytest.approx(0.95)
    assert by_depth[4].values["latency"].value == 3.0
    assert done.indistinguishable == sorted(by_depth[depth].number for depth in (5, 6))
    assert indistinguishable(store.trials.front(searched.id, robust=True)).keys() == set(
        done.indistinguishable
    )


def test_a_base_is_measured_again_by_the_decisions_that_lead_to_it(
    study: Callable[..., CheckedStudy],
    run: Callable[..., SearchResult],
    store: Store,
    folder: Path,
) -> None:
    """The base is of depth 2."""
    rows = [
        each.replace("1,", "2,", 1) if each[0] == "1" else each for each in SEARCHED[:2] + AGAIN
    ]
    (folder / "values.csv").write_text("\n".join([HEAD.strip(), *rows]) + "\n")
    row = run(study("depth: {choose: [2, 3]}", trials=2)).row
    done = settled(store, row, rounds=1)
    assert {each.trial.number for each in done.made} == {0, 1} and not done.failed
    assert store.trials.get(row.id, 0).values["latency"].value == pytest.approx(0.95)


def test_what_is_settled_on_the_way_is_not_paid_for(store: Store, searched: StudyRow) -> None:
    """One round settles depths 1 and 3; in the second a latency of depth 5 is enough."""
    agreed = replication_cost(store, searched, rounds=2)
    assert counted(agreed.purchases)["measurements"] == 16
    done = settled(store, searched, rounds=2)
    second = [each for each in done.made if each.turn == 2]
    assert [(each.trial.params["depth"], each.objective) for each in second] == [(5, "latency")]
    assert not done.indistinguishable
    assert replication_cost(store, searched, rounds=9).purchases == []


def test_rounds_are_a_total(store: Store, searched: StudyRow) -> None:
    settled(store, searched, rounds=1)
    spent = replication_cost(store, searched, rounds=1)
    assert spent.purchases == []
    assert len(spent.indistinguishable) == 2
    assert settled(store, searched, rounds=1).made == []
    assert {each.turn for each in replication_cost(store, searched, rounds=2).purchases} == {2}


def test_nothing_beyond_the_bill_is_bought(store: Store, searched: StudyRow) -> None:
    full = replication_cost(store, searched, rounds=2)
    agreed = ReplicationCost(
        purchases=full.purchases[:3], seconds=None, indistinguishable=full.indistinguishable
    )
    done = settled(store, searched, rounds=2, agreed=agreed)
    assert [each.key for each in done.made] == [each.key for each in agreed.purchases]
    assert done.left
    rows = sum(len(store.measurements.of_arch(t.arch_id)) for t in store.trials.all(searched.id))
    assert rows == 2 * 6 + 3


@pytest.mark.slow
def test_a_killed_settling_goes_on_as_if_it_had_not_been(
    store: Store,
    searched: StudyRow,
    study: Callable[..., CheckedStudy],
    run: Callable[..., SearchResult],
) -> None:
    settled(store, searched, rounds=2)
    undisturbed = values(store)
    with open_store("killed.db") as again:
        run(study(SPACE, trials=6), store=again)
    for purchases in (0, 2, 3):
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, "killed.db", str(purchases)],
            env={**os.environ, "PYTHONPATH": str(Path(archdsl.__file__).parents[1])},
            timeout=60,
            check=False,
        )
        assert killed.returncode == -signal.SIGKILL
    with open_store("killed.db") as again:
        assert values(again) != undisturbed
        settled(again, again.studies.find("small"), rounds=2)
        assert values(again) == undisturbed


def test_another_study_takes_what_is_measured(
    store: Store,
    searched: StudyRow,
    study: Callable[..., CheckedStudy],
    run: Callable[..., SearchResult],
) -> None:
    settled(store, searched, rounds=2)
    count = len(
        [m for t in store.trials.all(searched.id) for m in store.measurements.of_arch(t.arch_id)]
    )
    other = run(study(SPACE, trials=6, name="other")).row
    settled(store, other, rounds=2)
    assert (
        len([m for t in store.trials.all(other.id) for m in store.measurements.of_arch(t.arch_id)])
        == count
    )
    assert [t.values for t in store.trials.all(other.id)] == [
        t.values for t in store.trials.all(searched.id)
    ]


def test_a_search_goes_on_after_a_settling(
    store: Store,
    searched: StudyRow,
    study: Callable[..., CheckedStudy],
    run: Callable[..., SearchResult],
) -> None:
    """Further measurements are no other protocol that the search would refuse to mix with."""
    with open_store("few.db") as few:
        row = run(study(SPACE, trials=4), store=few).row
        settled(few, row, rounds=1)
        assert run(study(SPACE, trials=6), store=few).ran == 2


def test_what_cannot_be_measured_again_is_told(
    store: Store, study: Callable[..., CheckedStudy], run: Callable[..., SearchResult], folder: Path
) -> None:
    (folder / "values.csv").write_text("\n".join([HEAD.strip(), *SEARCHED, AGAIN[0]]) + "\n")
    row = run(study(SPACE, trials=6)).row
    done = settled(store, row, rounds=1)
    assert depths(store, list(done.made)) == {1}
    assert all("no row for depth = " in reason for _, reason in done.failed)
    assert all("repeat = 1" in reason for _, reason in done.failed)
    assert len(done.failed) == 6


def test_a_table_that_knows_each_candidate_once(
    store: Store, study: Callable[..., CheckedStudy], run: Callable[..., SearchResult], folder: Path
) -> None:
    lines = [line.replace(",,", ",", 1) for line in SEARCHED[:5]]
    text = HEAD.replace("repeat,", "") + "\n".join(lines) + "\n,9,8,10,5,4,6\n"
    (folder / "values.csv").write_text(text)
    row = run(study(SPACE, trials=6)).row
    with pytest.raises(MeasureError, match="a column 'repeat', from 0"):
        settled(store, row, rounds=1)


def test_values_measured_otherwise_are_not_brought_together(
    store: Store, searched: StudyRow, folder: Path
) -> None:
    (folder / "values.csv").write_text("\n".join([HEAD.strip(), *SEARCHED, AGAIN[0]]) + "\n")
    with pytest.raises(StudyError, match=r"(?s)measured otherwise than now:\n  table: .* then, "):
        settled(store, searched, rounds=1)
