"""Studies are renamed, deleted and copied whole, each in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from archdsl.errors import StoreError
from archdsl.identity import digest
from archdsl.records import Measurement, Outcome, State
from archdsl.store import copying, studies
from archdsl.store.copying import copy_study
from archdsl.store.owner import Owner
from archdsl.store.rows import Architecture, NewTrial, StudyRow, Trial, Value
from archdsl.store.store import Store, open_store
from archdsl.store.tables import metadata

OBJECTIVES = {"latency": "minimize", "top1": "maximize"}
DEAD = replace(Owner.current(), pid=1, process_start="long ago")

Add = Callable[..., Trial]
Complete = Callable[..., Trial]
Measure = Callable[..., Measurement]


def rows(store: Store) -> dict[str, list[Any]]:
    """All there is in a database."""
    with store.database.read() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table))]
            for table in metadata.sorted_tables
        }


def told(store: Store, name: str) -> list[Any]:
    """Everything a study says, but for the numbers of rows."""
    study = store.studies.find(name)
    trials = store.trials.all(study.id)
    return [
        replace(study, id=0),
        [replace(trial, id=0, study_id=0) for trial in trials],
        [trial.number for trial in store.trials.front(study.id)],
        [store.epochs.of_trial(trial.id) for trial in trials],
        [store.samples.of_trial(trial.id) for trial in trials if trial.values],
        [store.measurements.of_arch(trial.arch_id) for trial in trials],
        store.architectures.of_study(study.id),
        [replace(claim, trial_id=0) for claim in store.claims.of_study(study.id)],
    ]


@pytest.fixture
def filled(store: Store, study: StudyRow, add: Add, complete: Complete, measure: Measure) -> Store:
    """A study with trials of every kind, and beside it one that shares an architecture."""
    other = store.studies.ensure(name="other", document={"name": "other"}, objectives=OBJECTIVES)
    first = complete("aa", latency=1.0, top1=50.0, spread=0.5)
    complete("bb", latency=2.0, top1=60.0)
    complete("bb", latency=2.0, top1=60.0, study_id=other.id)
    complete("cc", latency=9.0, top1=10.0, study_id=other.id)
    store.samples.add(
        trial_id=first.id,
        objective="top1",
        measurement=measure("top1", 52.0, 0.5, seeds=[1]),
        pool=lambda made: Value(value=51.0, low=50.0, high=52.0),
    )
    broken = Outcome(state=State.INFEASIBLE, reason="too large", violation=0.5)
    new = NewTrial(architecture=Architecture(arch_id="dd"), counted=False, outcome=broken)
    store.trials.add(new, study_id=study.id, budget=None, owner=DEAD)
    running = add("ee", owner=DEAD)
    for epoch, value in ((1, 10.0), (2, float("nan"))):
        store.epochs.report(
            trial_id=running.id, token=running.token or "", epoch=epoch, name="loss", value=value
        )
    return store


def test_a_renamed_study_is_found_by_its_renamed_document(store: Store) -> None:
    document = {"name": "digits", "space": {}}
    study = store.studies.ensure(name="digits", document=document, objectives=OBJECTIVES)
    renamed = store.studies.rename("digits", "later")
    assert renamed.digest == digest({"name": "later", "space": {}})
    assert store.studies.all() == [renamed]
    again = store.studies.ensure(
        name="later", document=document | {"name": "later"}, objectives=OBJECTIVES
    )
    assert again == renamed
    assert renamed.id == study.id
    with pytest.raises(StoreError, match="holds no study 'digits'; it holds: later"):
        store.studies.find("digits")


def test_a_name_that_is_taken_is_refused(filled: Store) -> None:
    before = rows(filled)
    with pytest.raises(StoreError, match="holds a study 'other' already"):
        filled.studies.rename("digits", "other")
    assert rows(filled) == before


def test_deleting_takes_what_nothing_else_stands_on(filled: Store, measure: Measure) -> None:
    module = Architecture(arch_id="f0", kind="module", label="timm:resnet10t")
    filled.measurements.add(module, [measure("latency", 4.0, 0.1)])
    other = told(filled, "other")
    gone = filled.studies.delete("digits")
    assert (gone.trials, len(gone.measured)) == (4, 3)
    assert sorted(each.value for made in gone.measured.values() for each in made) == [
        1.0,
        50.0,
        52.0,
    ]
    assert told(filled, "other") == other
    left = rows(filled)
    assert [row[0] for row in left["architectures"]] == ["bb", "cc", "f0"]
    assert {name for name, found in left.items() if not found} == {
        "claims",
        "epoch_values",
        "runs",
        "trial_samples",
    }
    filled.studies.delete("other")
    assert [row[0] for row in rows(filled)["architectures"]] == ["f0"]


@pytest.mark.parametrize("do", ["delete", "rename", "copy"])
def test_a_study_that_is_searched_is_left_alone(
    filled: Store, add: Add, tmp_path: Path, do: str
) -> None:
    add("ff")
    before = rows(filled)
    with (
        open_store(str(tmp_path / "to.db")) as target,
        pytest.raises(StoreError, match=r"'digits' is searched right now: process .* on trial 4"),
    ):
        if do == "copy":
            copy_study("digits", source=filled.database, target=target.database)
        elif do == "delete":
            filled.studies.delete("digits")
        else:
            filled.studies.rename("digits", "later")
    assert rows(filled) == before


def test_deleting_that_fails_half_way_leaves_all(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(filled)

    def fail(*arguments: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(studies, "_delete_architectures", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        filled.studies.delete("digits")
    assert rows(filled) == before


@pytest.fixture(params=["sqlite", "postgresql"])
def target(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    postgres_schema: Callable[[], AbstractContextManager[str]],
) -> Iterator[Store]:
    """Another database, of each kind."""
    server = request.param == "postgresql"
    place = postgres_schema() if server else nullcontext(str(tmp_path / "to.db"))
    with place as url, open_store(url) as opened:
        yield opened


@pytest.mark.parametrize("at_once", [1, 200])
def test_a_copy_says_the_same(
    filled: Store, target: Store, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(copying, "_AT_ONCE", at_once)
    # The rows there have other numbers than those here.
    target.studies.ensure(name="own", document={}, objectives=OBJECTIVES)
    before = rows(filled)
    assert copy_study("other", source=filled.database, target=target.database) == 2
    assert copy_study("digits", source=filled.database, target=target.database) == 4
    assert rows(filled) == before
    for name in ("digits", "other"):
        assert told(target, name) == told(filled, name)
    study = target.studies.find("digits")
    taken = target.trials.take_over(study_id=study.id, owner=Owner.current())
    assert taken is not None, "a search goes on with the copy where the dead one left it"
    assert taken.arch_id == "ee"
    with pytest.raises(StoreError, match="holds a study 'digits' already"):
        copy_study("digits", source=filled.database, target=target.database)


def test_another_value_under_the_same_key_is_refused(
    filled: Store, target: Store, measure: Measure
) -> None:
    target.measurements.add(Architecture(arch_id="bb"), [measure("latency", 2.5, 0.0)])
    before = rows(target)
    with pytest.raises(StoreError, match=r"another latency of bb .*: 2\.5 ms there, 2 ms here"):
        copy_study("digits", source=filled.database, target=target.database)
    assert rows(target) == before


def test_an_equal_value_is_shared(filled: Store, target: Store, measure: Measure) -> None:
    target.measurements.add(Architecture(arch_id="bb"), [measure("latency", 2.0, 0.0)])
    copy_study("digits", source=filled.database, target=target.database)
    assert len(target.measurements.of_arch("bb")) == 2
    trial = target.trials.get(target.studies.find("digits").id, 1)
    assert target.measurements.of_trial(trial.id)["latency"].value == 2.0


def test_a_copy_that_fails_half_way_leaves_nothing(
    filled: Store, target: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(target)

    def fail(*arguments: object, **more: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(copying, "_copy_trials", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        copy_study("digits", source=filled.database, target=target.database)
    assert rows(target) == before


def test_a_copy_into_its_own_database_is_refused(filled: Store) -> None:
    with pytest.raises(StoreError, match="is the database that the study is in"):
        copy_study("digits", source=filled.database, target=filled.database)
