"""Measurements are filed under architecture, quantity and protocol; the first one stands."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from archdsl.errors import StoreError
from archdsl.records import Measurement, Outcome, State
from archdsl.store.rows import Architecture, StudyRow, Trial
from archdsl.store.store import Store

Measure = Callable[..., Measurement]


@pytest.fixture
def known(store: Store) -> Store:
    store.measurements.add(Architecture(arch_id="aa"), [])
    return store


def test_a_measurement_is_found_by_its_key_alone(known: Store, measure: Measure) -> None:
    here = measure("latency", 10.0, 0.1, device="cpu", batch=1)
    there = measure("latency", 5.0, 0.1, device="gpu", batch=1)
    for each in (here, there):
        known.measurements.record("aa", each)
    assert known.measurements.find(arch_id="aa", quantity="latency", key=here.key) == here
    assert known.measurements.find(arch_id="aa", quantity="latency", key=there.key) == there
    assert known.measurements.find(arch_id="aa", quantity="top1", key=here.key) is None
    assert known.measurements.find(arch_id="bb", quantity="latency", key=here.key) is None
    assert known.measurements.of_arch("aa") == [here, there]


def test_the_first_of_equal_protocols_stands(known: Store, measure: Measure) -> None:
    first = measure("latency", 10.0, 0.1, device="cpu")
    known.measurements.record("aa", first)
    known.measurements.record("aa", measure("latency", 11.0, 0.1, device="cpu"))
    assert known.measurements.of_arch("aa") == [first]


def test_a_finished_trial_stands_on_the_stored_measurement(
    store: Store, study: StudyRow, add: Callable[..., Trial], measure: Measure
) -> None:
    trial = add("aa")
    store.measurements.record("aa", measure("latency", 10.0, 0.1))
    values = {"latency": measure("latency", 12.0, 0.1), "top1": measure("top1", 80.0, 1.0)}
    store.trials.finish(
        trial_id=trial.id,
        token=trial.token or "",
        outcome=Outcome(state=State.COMPLETE, measurements=tuple(values.values())),
        values=values,
    )
    assert store.trials.get(study.id, 0).values["latency"].value == 10.0


def test_an_unknown_architecture_has_no_measurements(store: Store, measure: Measure) -> None:
    with pytest.raises(StoreError, match="holds no architecture zz"):
        store.measurements.record("zz", measure("latency", 1.0, 0.0))
    assert store.measurements.of_arch("zz") == []


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_refused(known: Store, measure: Measure, value: float) -> None:
    with pytest.raises(ValueError, match="diverged"):
        known.measurements.record("aa", measure("top1", value, 0.0))


def test_a_detail_that_is_not_json_is_a_clear_error(known: Store) -> None:
    bad = Measurement(
        quantity="top1",
        value=1.0,
        low=1.0,
        high=1.0,
        unit="%",
        protocol={},
        detail={"loss": math.nan},
    )
    with pytest.raises(StoreError, match="not JSON compliant"):
        known.measurements.record("aa", bad)
    assert known.measurements.of_arch("aa") == []


def test_a_foreign_protocol_is_one_of_complete_trials_of_this_study(
    store: Store, study: StudyRow, add: Callable[..., Trial], measure: Measure
) -> None:
    def finish(arch_id: str, device: str, study_id: int) -> None:
        trial = add(arch_id, study_id=study_id)
        values = {
            "latency": measure("latency", 10.0, 0.1, device=device),
            "top1": measure("top1", 80.0, 1.0),
        }
        store.trials.finish(
            trial_id=trial.id,
            token=trial.token or "",
            outcome=Outcome(state=State.COMPLETE, measurements=tuple(values.values())),
            values=values,
        )

    other = store.studies.ensure(name="other", document={}, objectives=study.objectives)
    finish("aa", "A100", study.id)
    finish("bb", "A100", study.id)
    finish("cc", "H200", study.id)
    finish("dd", "T4", other.id)
    store.measurements.record("aa", measure("latency", 1.0, 0.1, device="L4"))
    mine = measure("latency", 0.0, 0.0, device="H200").key
    found = store.measurements.foreign_protocol(study_id=study.id, quantity="latency", key=mine)
    assert found == {"device": "A100"}
    top1 = measure("top1", 0.0, 0.0).key
    assert store.measurements.foreign_protocol(study_id=study.id, quantity="top1", key=top1) is None


def test_every_measurement_has_its_date(known: Store, measure: Measure) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    each = measure("latency", 10.0, 0.1, device="cpu")
    known.measurements.record("aa", each)
    [(place, date)] = known.measurements.dates("aa").items()
    assert place == ("latency", each.key)
    assert before <= datetime.fromisoformat(date) <= datetime.now(UTC)
    assert known.measurements.dates("bb") == {}


def test_a_module_is_kept_with_what_was_measured_of_it(store: Store, measure: Measure) -> None:
    label = "timm:vit_base_patch16_224"
    module = Architecture(arch_id="fe01", kind="module", label=label, facts={"params": 86})
    made = [measure("latency", 10.0, 0.1, batch=batch) for batch in (1, 8)]
    store.measurements.add(module, made[:1])
    store.measurements.add(module, made)
    assert store.architectures.find("fe") == module
    assert store.measurements.of_arch("fe01") == made
    other = Architecture(arch_id="fe01", kind="module", label="another name of it")
    store.measurements.add(other, [])
    assert store.architectures.find("fe01").label == label, "the first one stays"


def test_a_measurement_that_is_refused_leaves_no_architecture(
    store: Store, measure: Measure
) -> None:
    module = Architecture(arch_id="fe01", kind="module", label="mine")
    with pytest.raises(ValueError, match="diverged"):
        store.measurements.add(module, [measure("latency", math.nan, 0.0)])
    with pytest.raises(StoreError, match="holds no architecture"):
        store.architectures.find("fe01")
