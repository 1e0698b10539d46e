"""What a report is made of: choices, importances, other devices, which points are drawn."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from archdsl.analysis.choices import MOST_OPTIONS, RANGES, choices
from archdsl.analysis.importance import LEAST_TRIALS, MOST_TRIALS, importances
from archdsl.records import Measurement, State
from archdsl.reporting.pages.findings import read_findings
from archdsl.reporting.plots.points import FrontPoint, spread, thinned
from archdsl.reporting.wording import alike_but_for_numbers, counted, listed
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


def test_choices_are_told_option_by_option(fill: Any, made: Made, store: Store) -> None:
    params = [{"depth": n % 3 + 1, "head": "a" if n % 2 else "b"} for n in range(12)]
    for each in params[:4]:
        each["head[a].ratio"] = 0.5
    study = fill([made(values={"latency": 9, "top1": 1}), *deciding(made, params, lambda _: 50)])
    found = {choice.name: choice for choice in choices(store.trials.all(study.id))}
    assert {name: [o.label for o in c.options] for name, c in found.items()} == {
        "depth": ["1", "2", "3"],
        "head": ["a", "b"],
        "head[a].ratio": ["0.5"],
    }
    assert {name: choice.trials for name, choice in found.items()} == {
        "depth": 12,
        "head": 12,
        "head[a].ratio": 4,
    }
    assert [name for name, choice in found.items() if choice.conditional] == ["head[a].ratio"]


def test_many_numbers_become_ranges(fill: Any, made: Made, store: Store) -> None:
    count = 3 * MOST_OPTIONS
    params = [{"width": 10 * (count - n)} for n in range(count)]
    study = fill(deciding(made, params, lambda _: 50.0))
    [choice] = choices(store.trials.all(study.id))
    assert len(choice.options) == RANGES
    assert choice.options[0].label == "10 to 50"
    assert [len(option.trials) for option in choice.options] == [5] * RANGES


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
    survived = read_findings(store, study).survivals
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


def test_thinning_keeps_members_the_base_and_what_is_like_a_member() -> None:
    points = [
        FrontPoint(
            label=str(n), x=n, x_low=n, x_high=n, y=n, y_low=n, y_high=n, member=n % 50 == 0,
            base=n == 7, difference="", alike=("0",) if n in (1, 3) else (),
        )
        for n in range(500)
    ]  # fmt: skip
    drawn = thinned(points, most=40)
    assert len(drawn) == 40
    assert [p for p in points if p.member or p.base or p.alike] == [
        p for p in drawn if p.member or p.base or p.alike
    ]
    assert [p.x for p in drawn] == sorted(p.x for p in drawn)
    assert thinned(points, most=40) == drawn
    assert thinned(points, most=500) == points
    assert len(thinned(points, most=3)) == 11, "members and the base are always drawn"


def test_a_spread_has_both_ends() -> None:
    assert spread(range(100), most=4) == [0, 33, 66, 99]
    assert spread(range(3), most=4) == [0, 1, 2]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (counted(1, "trial"), "1 trial"),
        (counted(1200, "trial"), "1,200 trials"),
        (listed([1, 2, 3]), "1, 2, 3"),
        (listed(range(5), most=2), "0, 1 and 3 more"),
    ],
)
def test_counts_and_lists(said: str, words: str) -> None:
    assert said == words


def test_reasons_that_differ_in_numbers_are_one() -> None:
    reasons = ["took 1.5 s of 3", "took 1e-3 s of 12", "out of memory", "took 2,000 s of 1"]
    assert list(alike_but_for_numbers(reasons).values()) == [[0, 1, 3], [2]]


def test_reasons_that_differ_in_numbers_are_told_with_their_ranges() -> None:
    from archdsl.reporting.wording import with_ranges

    assert with_ranges(["took 2.28 times (10 of 10)"]) == "took 2.28 times (10 of 10)"
    told = with_ranges(["took 2.28 times (6 of 10)", "took 1.11 times (10 of 10)"])
    assert told == "took 1.11 to 2.28 times (6 to 10 of 10)"
    assert with_ranges(["version 1.2.3", "version 1.2.4"]) == "version 1.2.3 to 1.2.4"
