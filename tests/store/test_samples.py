"""Further measurements of a trial change its value and the front, and are never lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

import pytest

from archdsl.records import Measurement
from archdsl.store.rows import StudyRow, Trial, Value
from archdsl.store.store import Store

Complete = Callable[..., Trial]
Measure = Callable[..., Measurement]


def mean_of(measurements: Sequence[Measurement]) -> Value:
    value = fmean(each.value for each in measurements)
    return Value(value=value, low=value - 0.5, high=value + 0.5)


def test_a_value_is_made_anew_from_all_its_measurements(
    store: Store, study: StudyRow, complete: Complete, measure: Measure
) -> None:
    trial = complete("good", latency=10.0, top1=80.0, spread=2.0)
    complete("overlaps", latency=11.0, top1=79.0, spread=2.0)
    assert [t.arch_id for t in store.trials.front(study.id)] == ["good"]
    assert len(store.trials.front(study.id, robust=True)) == 2
    for repeat, latency in ((1, 15.0), (2, 17.0)):
        store.samples.add(
            trial_id=trial.id,
            objective="latency",
            measurement=measure("latency", latency, 1.0, repeat=repeat),
            pool=mean_of,
        )
    found = store.trials.get(study.id, 0)
    assert found.values["latency"] == Value(value=14.0, low=13.5, high=14.5)
    assert found.values["top1"].value == 80.0
    assert [t.arch_id for t in store.trials.front(study.id)] == ["good", "overlaps"]
    assert [each.value for each in store.samples.of_trial(trial.id)["latency"]] == [
        10.0,
        15.0,
        17.0,
    ]
    assert store.measurements.of_trial(trial.id)["latency"].value == 10.0, (
        "the search's own one stays"
    )


def test_a_maximized_value_turns_its_interval(
    store: Store, study: StudyRow, complete: Complete, measure: Measure
) -> None:
    trial = complete("better", latency=10.0, top1=80.0, spread=0.1)
    complete("worse", latency=10.0, top1=78.0, spread=0.1)
    assert len(store.trials.front(study.id, robust=True)) == 1
    store.samples.add(
        trial_id=trial.id,
        objective="top1",
        measurement=measure("top1", 76.0, 1.0, seeds=[1]),
        pool=lambda made: Value(value=78.5, low=77.5, high=79.5),
    )
    assert len(store.trials.front(study.id, robust=True)) == 2


def test_the_same_measurement_twice_counts_once(
    store: Store, study: StudyRow, complete: Complete, measure: Measure
) -> None:
    trial = complete("aa", latency=10.0, top1=80.0)
    for value in (12.0, 30.0):  # another process measured the same and was later
        store.samples.add(
            trial_id=trial.id,
            objective="latency",
            measurement=measure("latency", value, 0.0, repeat=1),
            pool=mean_of,
        )
    assert store.trials.get(study.id, 0).values["latency"].value == 11.0
    assert len(store.samples.of_trial(trial.id)["latency"]) == 2


def test_a_pool_that_fails_leaves_nothing(
    store: Store, complete: Complete, measure: Measure
) -> None:
    trial = complete("aa", latency=10.0, top1=80.0)

    def fail(made: Sequence[Measurement]) -> Value:
        raise ArithmeticError("no mean")

    with pytest.raises(ArithmeticError):
        store.samples.add(
            trial_id=trial.id,
            objective="latency",
            measurement=measure("latency", 12.0, 0.0, repeat=1),
            pool=fail,
        )
    assert len(store.samples.of_trial(trial.id)["latency"]) == 1
    assert len(store.measurements.of_arch("aa")) == 2


def test_only_values_that_are_there_get_more_measurements(
    store: Store, complete: Complete, measure: Measure
) -> None:
    trial = complete("aa", latency=10.0, top1=80.0)
    with pytest.raises(ValueError, match="no value of params"):
        store.samples.add(
            trial_id=trial.id, objective="params", measurement=measure("params", 1.0, 0.0),
            pool=mean_of,
        )  # fmt: skip
