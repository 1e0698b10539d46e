"""The front on other devices than its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archdsl.records import Measurement
from archdsl.reporting.pages.findings import read_findings
from archdsl.store.store import Store

Made = Callable[..., Any]


def sets(number: int) -> tuple[str, ...]:
    """Settings that make the nth of many different architectures."""
    return (f"depth={1 + number % 20}", f"process.dim={16 * (1 + number // 20)}")


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


def test_a_front_is_seen_on_another_device(
    fill: Any, made: Made, store: Store, report: Any
) -> None:
    """Three members here; the slowest of them is beaten there."""
    here, there = (1.0, 2.0, 3.0), (10.0, 20.0, 9.0)
    study = fill(
        [
            made(sets=sets(n), values={"latency": value, "top1": 80.0 + n},
                 protocol={"latency": latency(value, "here").protocol})
            for n, value in enumerate(here)
        ],
        base=None,
    )  # fmt: skip
    trials = store.trials.all(study.id)
    for trial, value in zip(trials, there, strict=True):
        store.measurements.record(trial.arch_id, latency(value, "there"))
        store.measurements.record(trial.arch_id, latency(1.0, "elsewhere", batch=1))
    survived = read_findings(store, study).transfers
    assert {
        (each.here["name"], each.there["name"]): (each.common, each.members, each.survivors)
        for each in survived
    } == {("here", "there"): (3, 3, 1), ("there", "here"): (3, 1, 1)}, "other batches do not count"
    page = report(study)
    assert "1 (33 %)" in page.text
    assert "1 (100 %)" in page.text


def test_devices_of_one_name_are_told_apart(
    fill: Any, made: Made, store: Store, report: Any
) -> None:
    one = made(values={"latency": 1.0, "top1": 80.0},
               protocol={"latency": latency(1.0, "GPU").protocol})  # fmt: skip
    study = fill([one], base=None)
    [trial] = store.trials.all(study.id)
    store.measurements.record(trial.arch_id, latency(2.0, "GPU", driver="2"))
    text = report(study).text
    assert "GPU (driver 1)" in text
    assert "GPU (driver 2)" in text


def test_one_device_has_nothing_to_survive_on(fill: Any, made: Made, report: Any) -> None:
    page = report(fill([made(values={"latency": 1.0, "top1": 80.0})]))
    assert "On other devices" not in page.text
