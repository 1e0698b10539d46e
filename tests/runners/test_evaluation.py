"""One candidate's evaluation: order, reuse, bounds and ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from archdsl.records import Job, Measurement, Outcome, State
from archdsl.runners.evaluation import evaluate_job
from archdsl.runners.interfaces import Bound

MakeJob = Callable[..., Job]


def evaluated(toys: Any, job: Job, *, bounds: Sequence[Bound] = ()) -> Outcome:
    evaluators = toys.make({"latency": {}, "top1": {}}, None)
    return evaluate_job(job, evaluators, bounds=bounds, report=lambda *seen: None)


def known(toys: Any, quantity: str, value: float, **protocol: object) -> Measurement:
    return Measurement(
        quantity=quantity,
        value=value,
        low=value,
        high=value,
        unit="ms",
        protocol=toys.Toy(quantity).protocol() | protocol,
    )


def test_all_quantities_in_order(toys: Any, make_job: MakeJob) -> None:
    outcome = evaluated(toys, make_job(latency=2.5, top1=70.0))
    assert outcome.state is State.COMPLETE
    assert outcome.reason is None
    assert [(m.quantity, m.value) for m in outcome.measurements] == [
        ("latency", 2.5),
        ("top1", 70.0),
    ]
    assert outcome.seconds > 0


def test_what_is_known_is_not_measured_again(toys: Any, make_job: MakeJob) -> None:
    job = make_job(latency="fail", top1=70.0, known=[known(toys, "latency", 9.0)])
    outcome = evaluated(toys, job)
    assert outcome.state is State.COMPLETE
    assert [m.value for m in outcome.measurements] == [9.0, 70.0]


def test_what_is_known_under_another_protocol_is_measured(toys: Any, make_job: MakeJob) -> None:
    job = make_job(latency=2.0, top1=70.0, known=[known(toys, "latency", 9.0, device="other")])
    assert evaluated(toys, job).measurements[0].value == 2.0


def test_a_broken_bound_ends_before_the_training(toys: Any, make_job: MakeJob) -> None:
    bound = Bound(quantity="latency", operator="<=", limit=200)
    outcome = evaluated(toys, make_job(latency=250.0, top1="fail"), bounds=[bound])
    assert outcome.state is State.INFEASIBLE
    assert [m.quantity for m in outcome.measurements] == ["latency"]
    assert outcome.violation == pytest.approx(0.25)
    assert outcome.reason == "latency is 250 ms, but latency <= 200 ms is asked for"


def test_a_known_value_can_break_a_bound(toys: Any, make_job: MakeJob) -> None:
    bound = Bound(quantity="latency", operator="<=", limit=5)
    job = make_job(known=[known(toys, "latency", 9.0)], top1="fail")
    assert evaluated(toys, job, bounds=[bound]).state is State.INFEASIBLE


def test_what_comes_before_dearer_quantities_is_told_once_it_is_measured(
    toys: Any, make_job: MakeJob
) -> None:
    evaluators = toys.make({"memory": {}, "latency": {}, "top1": {}}, None)
    told: list[str] = []
    evaluate_job(
        make_job(known=[known(toys, "memory", 9.0)]),
        evaluators,
        bounds=(),
        report=lambda *seen: None,
        measured=lambda measurement: told.append(measurement.quantity),
    )
    assert told == ["latency"], "neither what is known nor the last, which is the outcome's"


def test_the_answer_to_a_report_ends_the_evaluation(toys: Any, make_job: MakeJob) -> None:
    epochs: list[int] = []

    def report(name: str, epoch: int, value: float) -> str | None:
        epochs.append(epoch)
        return f"after epoch {epoch}: {name} {value:g} is not enough" if epoch == 1 else None

    outcome = evaluate_job(
        make_job(latency=2.5, top1="two_epochs"),
        toys.make({"latency": {}, "top1": {}}, None),
        bounds=(),
        report=report,
    )
    assert outcome.state is State.STOPPED
    assert outcome.reason == "after epoch 1: top1 50 is not enough"
    assert [m.quantity for m in outcome.measurements] == ["latency"], "no value of what it ended"
    assert outcome.seconds > 0
    assert epochs == [1]


@pytest.mark.parametrize(
    ("operator", "limit", "value", "excess"),
    [
        ("<=", 200, 200, 0),
        ("<=", 200, 300, 0.5),
        (">=", 80, 80, 0),
        (">=", 80, 60, 0.25),
        ("<=", 0, 3, 3),
        ("<=", -2, -1, 0.5),
    ],
)
def test_excess_is_relative_to_the_limit(
    operator: Any, limit: float, value: float, excess: float
) -> None:
    bound = Bound(quantity="latency", operator=operator, limit=limit)
    assert bound.excess(value) == pytest.approx(excess)


@pytest.mark.parametrize(
    ("word", "state", "reason"),
    [
        ("fail", State.FAILED, "TypeError: no such thing"),
        ("diverge", State.DIVERGED, "DivergedError: the loss became nan"),
        ("nan", State.DIVERGED, "top1 is nan"),
        ("memory_error", State.OUT_OF_MEMORY, "MemoryError"),
        ("cpu_memory", State.OUT_OF_MEMORY, "allocate"),
        ("gpu_memory", State.OUT_OF_MEMORY, "CUDA out of memory"),
    ],
)
def test_every_end_has_its_state_and_one_line_of_reason(
    toys: Any, make_job: MakeJob, word: str, state: State, reason: str
) -> None:
    outcome = evaluated(toys, make_job(latency=2.0, top1=word))
    assert outcome.state is state
    assert outcome.reason is not None
    assert reason in outcome.reason
    assert "\n" not in outcome.reason
    assert [m.quantity for m in outcome.measurements] == ["latency"], "what was measured is kept"
