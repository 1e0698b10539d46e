"""How much of what differs each choice explains."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from archdsl.analysis.importance import LEAST_TRIALS, MOST_TRIALS, importances
from archdsl.records import Measurement
from archdsl.store.store import Store

Made = Callable[..., Any]


def sets(number: int) -> tuple[str, ...]:
    """Settings that make the nth of many different architectures."""
    return (f"depth={1 + number % 20}", f"process.dim={16 * (1 + number // 20)}")


def deciding(made: Made, params: list[dict[str, Any]], top1: Callable[..., float]) -> list[Any]:
    return [
        made(sets=sets(number), params=each, values={"latency": 1.0 + number, "top1": top1(each)})
        for number, each in enumerate(params)
    ]


def test_the_choice_that_matters_is_the_most_important(fill: Any, made: Made, store: Store) -> None:
    source = random.Random(0)
    params = [
        {"idle": source.choice([1, 2, 3]), "deep": source.choice([1, 2, 3])} for _ in range(60)
    ]
    study = fill(deciding(made, params, lambda each: 50.0 + 10 * each["deep"]))
    found = importances(study, store.trials.all(study.id))
    assert [each.name for each in found.choices] == ["deep", "idle"]
    assert found.choices[0].shares["top1"] > 0.9
    assert found.choices[1].shares["top1"] < 0.1
    assert importances(study, store.trials.all(study.id)) == found, "equal seeds, equal answers"
    assert (found.trials, found.looked_at, found.rough) == (60, 60, False)


def test_too_few_or_equal_values_have_no_importance(fill: Any, made: Made, store: Store) -> None:
    params = [{"depth": n % 3} for n in range(LEAST_TRIALS)]
    study = fill(deciding(made, params, lambda _: 50.0))
    trials = store.trials.all(study.id)
    [found] = importances(study, trials).choices
    assert set(found.shares) == {"latency"}, "top1 does not vary"
    [found] = importances(study, trials[1:]).choices
    assert found.shares == {}


@pytest.mark.slow
def test_of_many_trials_a_part_is_looked_at(fill: Any, made: Made, store: Store) -> None:
    params = [{"depth": n % 3} for n in range(MOST_TRIALS + 10)]
    study = fill(deciding(made, params, lambda each: 50.0 + each["depth"]))
    found = importances(study, store.trials.all(study.id))
    assert (found.trials, found.looked_at) == (MOST_TRIALS + 10, MOST_TRIALS)
    assert found.choices[0].shares["top1"] > 0.9


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
