"""Trials: numbers, budget, commit order, tokens."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest

from archdsl.errors import StoreError
from archdsl.records import Measurement, Outcome, State
from archdsl.store.errors import DuplicateTrialError, StaleClaimError
from archdsl.store.owner import Owner
from archdsl.store.rows import Architecture, NewTrial, StudyRow, Trial, Value
from archdsl.store.store import Store, open_store

Add = Callable[..., Trial]
Complete = Callable[..., Trial]
Measure = Callable[..., Measurement]


def test_a_trial_comes_back_as_it_went_in(store: Store, study: StudyRow, add: Add) -> None:
    trial = add("aa")
    assert trial.number == 0
    assert trial.state is State.RUNNING
    assert trial.params == {"dim": 384, "fusion": "add"}
    assert trial.distributions == {"dim": {"choices": [384, 768]}}
    assert trial.sampler_attrs == {"tpe": {"n": 1}}
    assert (trial.attempt, trial.counted, trial.finish_order) == (2, True, None)
    assert trial.token
    assert store.trials.get(study.id, 0).token is None
    assert store.architectures.find("aa").plan == {"layers": ["aa"]}
    assert store.trials.finished(study.id) == []


def test_the_budget_counts_counted_rows_only(store: Store, study: StudyRow, add: Add) -> None:
    assert add("aa", budget=2)
    assert add("bb", budget=2, counted=False)
    assert add("cc", budget=2)
    assert add("dd", budget=2) is None
    assert add("dd", budget=3).number == 3
    assert store.trials.count(study.id).counted == 3
    assert store.trials.count(study.id).states[State.RUNNING] == 4
    assert store.trials.count(study.id).states[State.COMPLETE] == 0


def test_a_second_trial_of_an_architecture_is_refused_per_study(
    store: Store, study: StudyRow, add: Add
) -> None:
    add("aa")
    with pytest.raises(DuplicateTrialError, match="aa is already trial 0"):
        add("aa")
    other = store.studies.ensure(name="other", document={}, objectives={"top1": "maximize"})
    assert add("aa", study_id=other.id).number == 0
    assert store.trials.arch_ids(study.id) == {"aa"}


@pytest.mark.slow
def test_history_is_in_commit_order_and_incremental(
    store: Store, study: StudyRow, add: Add
) -> None:
    tokens = {name: add(name) for name in ("aa", "bb", "cc")}
    for name in ("cc", "aa"):
        store.trials.finish(
            trial_id=tokens[name].id,
            token=tokens[name].token or "",
            outcome=Outcome(state=State.FAILED, reason=f"{name} broke", seconds=2.5),
            values={},
        )
    finished = store.trials.finished(study.id)
    assert [(t.arch_id, t.finish_order, t.reason) for t in finished] == [
        ("cc", 1, "cc broke"),
        ("aa", 2, "aa broke"),
    ]
    assert [t.arch_id for t in store.trials.finished(study.id, after=1)] == ["aa"]
    assert store.trials.finished(study.id, after=2) == []
    assert [t.arch_id for t in store.trials.all(study.id)] == ["aa", "bb", "cc"]


def test_complete_values_have_their_intervals(
    store: Store, study: StudyRow, complete: Complete
) -> None:
    trial = complete("aa", latency=10.0, top1=80.0, spread=0.5)
    assert trial.state is State.COMPLETE
    assert trial.seconds == 1.5
    assert dict(trial.values) == {
        "latency": Value(value=10.0, low=9.5, high=10.5),
        "top1": Value(value=80.0, low=79.5, high=80.5),
    }
    assert store.trials.finished(study.id) == [trial]
    assert [m.quantity for m in store.measurements.of_arch("aa")] == ["latency", "top1"]


def test_a_complete_trial_needs_exactly_the_objectives(
    store: Store, study: StudyRow, add: Add, measure: Measure
) -> None:
    trial = add("aa")
    latency = measure("latency", 1.0, 0.0)
    with pytest.raises(ValueError, match="needs \\['latency', 'top1'\\]"):
        store.trials.finish(
            trial_id=trial.id,
            token=trial.token or "",
            outcome=Outcome(state=State.COMPLETE, measurements=(latency,)),
            values={"latency": latency},
        )
    # All of it was undone: the trial still runs, the measurement is not there.
    assert store.trials.get(study.id, 0).state is State.RUNNING
    assert store.measurements.of_arch("aa") == []


def test_an_infeasible_trial_keeps_its_measurements_but_has_no_values(
    store: Store, study: StudyRow, add: Add, measure: Measure
) -> None:
    trial = add("aa")
    latency = measure("latency", 300.0, 1.0)
    store.trials.finish(
        trial_id=trial.id,
        token=trial.token or "",
        outcome=Outcome(
            state=State.INFEASIBLE,
            measurements=(latency,),
            reason="latency 300 ms > 250 ms",
            violation=0.2,
        ),
        values={"latency": latency},
    )
    ended = store.trials.get(study.id, 0)
    assert (ended.state, ended.violation, dict(ended.values)) == (State.INFEASIBLE, 0.2, {})
    assert store.measurements.of_arch("aa") == [latency]


def test_a_trial_finishes_once(store: Store, add: Add) -> None:
    trial = add("aa")
    outcome = Outcome(state=State.FAILED, reason="broke")
    with pytest.raises(StaleClaimError, match="trial 0 was taken over by process"):
        store.trials.finish(trial_id=trial.id, token="guess", outcome=outcome, values={})
    store.trials.finish(trial_id=trial.id, token=trial.token or "", outcome=outcome, values={})
    with pytest.raises(StaleClaimError, match=r"trial 0 is finished already \(failed\)"):
        store.trials.finish(trial_id=trial.id, token=trial.token or "", outcome=outcome, values={})
    with pytest.raises(StaleClaimError):
        store.epochs.report(
            trial_id=trial.id, token=trial.token or "", epoch=1, name="top1", value=1.0
        )


def test_a_reason_may_quote_raw_bytes(store: Store, study: StudyRow, add: Add) -> None:
    trial = add("aa")
    outcome = Outcome(state=State.FAILED, reason="ended with \0 in it")
    store.trials.finish(trial_id=trial.id, token=trial.token or "", outcome=outcome, values={})
    assert store.trials.get(study.id, 0).reason == "ended with  in it"


def test_a_finished_trial_is_added_without_a_claim(store: Store, study: StudyRow, add: Add) -> None:
    add("aa")
    outcome = Outcome(state=State.INFEASIBLE, reason="params_m 150 > 130", violation=0.15)
    new, owner = replace(_proposal(1), counted=False, outcome=outcome), Owner.current()
    # The one counted row has used the budget up.
    assert store.trials.add(new, study_id=study.id, budget=1, owner=owner) is None
    row = store.trials.add(new, study_id=study.id, budget=None, owner=owner)
    assert row is not None
    assert (row.number, row.state, row.violation) == (1, State.INFEASIBLE, 0.15)
    assert (row.counted, row.finish_order, row.token) == (False, 1, None)
    assert [claim.number for claim in store.claims.of_study(study.id)] == [0]
    assert store.trials.count(study.id).counted == 1


def test_epochs_are_kept_and_replaced_when_reported_again(store: Store, add: Add) -> None:
    trial = add("aa")
    for epoch, value in ((1, 10.0), (2, 20.0), (2, 21.0), (3, math.nan)):
        store.epochs.report(
            trial_id=trial.id, token=trial.token or "", epoch=epoch, name="top1", value=value
        )
    reported = store.epochs.of_trial(trial.id)
    assert [(e.epoch, e.name, e.value) for e in reported[:2]] == [
        (1, "top1", 10.0),
        (2, "top1", 21.0),
    ]
    assert math.isnan(reported[2].value)


def test_an_unknown_number_is_a_clear_error(store: Store, study: StudyRow, add: Add) -> None:
    with pytest.raises(StoreError, match="no trial 0; it has none yet"):
        store.trials.get(study.id, 0)
    add("aa")
    with pytest.raises(StoreError, match="no trial 5; its trials are 0 to 0"):
        store.trials.get(study.id, 5)


def test_values_are_exact(store: Store, complete: Complete) -> None:
    value = complete("aa", latency=0.1 + 0.2, top1=math.nextafter(80.0, 81.0)).values
    assert value["latency"].value == 0.1 + 0.2
    assert value["top1"].value == math.nextafter(80.0, 81.0)


@pytest.mark.slow
def test_a_trial_costs_the_same_among_many(tmp_path: Path, measure: Measure) -> None:
    """Taken in turns with a small study, so that other load on the machine meets both alike."""
    with (
        open_store(str(tmp_path / "small.db")) as small,
        open_store(str(tmp_path / "large.db")) as large,
    ):
        for store in (small, large):
            store.studies.ensure(name="a", document={}, objectives={"top1": "maximize"})
        for number in range(2000):
            outcome = Outcome(state=State.INFEASIBLE, reason="too large")
            new = replace(_proposal(number), outcome=outcome)
            large.trials.add(new, study_id=1, budget=10_000, owner=Owner.current())
        pairs = [
            [_seconds_for_trial(store, measure, number) for store in (small, large)]
            for number in range(2000, 2100)
        ]
        looked_up = min(_seconds_to_find(large, number) for number in range(1000, 1020))
    assert median(late / early for early, late in pairs) < 1.5
    assert looked_up < 0.005


def _proposal(number: int) -> NewTrial:
    return NewTrial(architecture=Architecture(arch_id=f"{number:016x}"), params={"dim": number})


def _seconds_for_trial(store: Store, measure: Measure, number: int) -> float:
    top1 = measure("top1", float(number), 0.0)
    started = time.perf_counter()
    trial = store.trials.add(_proposal(number), study_id=1, budget=10_000, owner=Owner.current())
    assert trial is not None
    store.trials.finish(
        trial_id=trial.id,
        token=trial.token or "",
        outcome=Outcome(state=State.COMPLETE, measurements=(top1,)),
        values={"top1": top1},
    )
    return time.perf_counter() - started


def _seconds_to_find(store: Store, number: int) -> float:
    started = time.perf_counter()
    store.architectures.find(f"{number:016x}")
    return time.perf_counter() - started


def test_a_stopped_trial_counts_keeps_its_epochs_and_is_never_a_member(
    store: Store, study: StudyRow, add: Add, complete: Complete
) -> None:
    complete("slow", latency=9.0, top1=70.0)
    trial = add("stopped", budget=2)
    token = trial.token or ""
    for epoch, value in ((1, 50.0), (2, 95.0)):
        store.epochs.report(trial_id=trial.id, token=token, epoch=epoch, name="top1", value=value)
    latency = Measurement(
        quantity="latency", value=1.0, low=1.0, high=1.0, unit="ms", protocol={"batch": 1}
    )
    store.trials.finish(
        trial_id=trial.id,
        token=token,
        outcome=Outcome(
            state=State.STOPPED, measurements=(latency,), reason="after epoch 2: …", seconds=2.0
        ),
        values={},
    )
    assert add("one more", budget=2) is None, "it uses up budget"
    ended = store.trials.get(study.id, trial.number)
    assert (ended.state, ended.reason, dict(ended.values)) == (
        State.STOPPED,
        "after epoch 2: …",
        {},
    )
    assert [(each.epoch, each.value) for each in store.epochs.of_trial(trial.id)] == [
        (1, 50.0),
        (2, 95.0),
    ]
    for robust in (False, True):
        assert [member.arch_id for member in store.trials.front(study.id, robust=robust)] == [
            "slow"
        ]


def test_values_after_an_epoch_are_those_of_one_study(
    store: Store, study: StudyRow, add: Add
) -> None:
    other = store.studies.ensure(name="other", document={}, objectives={"top1": "maximize"})
    told = {"a": (1.0, 2.0), "b": (3.0, math.nan), "c": (5.0,)}
    for arch_id, values in told.items():
        trial = add(arch_id, study_id=other.id if arch_id == "c" else study.id)
        for epoch, value in enumerate(values, start=1):
            for name in ("top1", "loss"):
                store.epochs.report(
                    trial_id=trial.id, token=trial.token or "", epoch=epoch, name=name, value=value
                )
    assert store.epochs.at(1, study_id=study.id, name="top1") == [1.0, 3.0]
    first, second = store.epochs.at(2, study_id=study.id, name="top1")
    assert first == 2.0
    assert math.isnan(second)
    assert store.epochs.at(3, study_id=study.id, name="top1") == []


def test_a_study_lists_its_times_and_architectures(
    store: Store, study: StudyRow, add: Add, complete: Complete
) -> None:
    complete("aa", latency=3.0, top1=80.0)
    add("bb")
    other = store.studies.ensure(name="other", document={}, objectives={"latency": "minimize"})
    add("cc", study_id=other.id)
    ended, running = store.trials.all(study.id)
    assert ended.finished is not None
    assert ended.started <= ended.finished
    assert running.finished is None
    found = store.architectures.of_study(study.id)
    assert sorted(found) == ["aa", "bb"]
    assert found["aa"].spec == {"name": "aa"}
