"""All that lies behind the values of a study, read at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archdsl.records import Measurement, State
from archdsl.store.store import Store

Made = Callable[..., Any]


def latency(value: float, name: str, *, driver: str = "1", batch: int = 8) -> Measurement:
    return Measurement(
        quantity="latency",
        value=value,
        low=value,
        high=value,
        unit="ms",
        protocol={
            "batch": batch,
            "dtype": "float32",
            "threads": 1,
            "fingerprint": {"name": name, "driver": driver, "torch": "9.9"},
        },
    )


def test_what_lies_behind_values_is_read_at_once(fill: Any, made: Made, store: Store) -> None:
    study = fill(
        [
            made(values={"latency": 1.0, "top1": 80.0}),
            made(sets=("depth=1",), state=State.FAILED, reason="broke"),
            made(sets=("depth=2",), values={"latency": 2.0, "top1": 81.0}),
        ]
    )
    trials = store.trials.all(study.id)
    assert store.measurements.by_trial(study.id) == {
        trial.id: store.measurements.of_trial(trial.id)
        for trial in trials
        if trial.state is State.COMPLETE
    }
    found = store.measurements.of_study(study.id, "latency")
    assert [(arch_id, each.value) for arch_id, each in found] == [
        (trials[0].arch_id, 1.0),
        (trials[2].arch_id, 2.0),
    ]
