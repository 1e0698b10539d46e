"""The driver's side of a cluster: what is given out, committed, given out again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from archdsl.errors import DataError, StoreError
from archdsl.records import Job, Measurement, Outcome, State
from archdsl.runners.ray.dispatcher import Dispatcher
from archdsl.runners.threaded_slot import (
    ErrorEvent,
    MeasurementEvent,
    OutcomeEvent,
    ReportEvent,
)

MakeJob = Callable[..., Job]
DONE = OutcomeEvent(outcome=Outcome(state=State.COMPLETE))
EPOCH = ReportEvent(name="top1", epoch=1, value=50.0)
LATENCY = Measurement(quantity="latency", value=1.0, low=1.0, high=1.0, unit="ms", protocol={})


@pytest.fixture
def desk_of(make_job: MakeJob, source_of: Any) -> Callable[..., tuple[Dispatcher, Any]]:
    def made(jobs: int, room: int = 9) -> tuple[Dispatcher, Any]:
        source = source_of([make_job(number) for number in range(jobs)])
        return Dispatcher(source, room=lambda: room), source

    return made


def test_jobs_are_given_while_there_is_room_and_no_longer(desk_of: Any) -> None:
    desk, source = desk_of(3, room=2)
    assert [job and job.number for job in map(desk.give, "abc")] == [0, 1, None]
    assert desk.take("a", DONE)
    assert desk.give("c").number == 2
    assert desk.take("b", DONE) and desk.give("d") is None
    assert not desk.finished, "one is under way, and may have to be given out again"
    assert desk.take("c", DONE) and desk.give("d") is None
    assert desk.finished
    assert list(source.outcomes) == [0, 1, 2]


def test_what_a_lost_machine_had_told_is_not_asked_again(desk_of: Any) -> None:
    desk, source = desk_of(1)
    desk.give("a")
    assert desk.take("a", MeasurementEvent(measurement=LATENCY)) and desk.take("a", EPOCH)
    desk.lose("a", "its node died")
    assert source.outcomes == {}
    again = desk.give("b")
    assert (again.number, again.known) == (0, (LATENCY,))
    assert desk.take("b", DONE) and source.outcomes[0].state is State.COMPLETE


def test_a_job_that_loses_machine_after_machine_is_given_up(desk_of: Any) -> None:
    desk, source = desk_of(1)
    for epoch, trial in enumerate("abcde", start=1):  # progress is never held against it
        desk.give(trial)
        desk.take(trial, replace(EPOCH, epoch=epoch))
        desk.lose(trial, "SIGKILL")
    assert source.outcomes == {}
    desk.give("f")
    desk.take("f", EPOCH)  # told once more, from the checkpoint
    desk.lose("f", "SIGKILL")
    assert source.outcomes[0].state is State.CRASHED
    assert source.outcomes[0].reason == (
        "died 2 times without a new epoch in between, last: its machine was lost: SIGKILL"
    )
    assert desk.give("h") is None and desk.finished


def test_a_stopped_job_keeps_what_it_had_measured(desk_of: Any) -> None:
    desk, source = desk_of(1)
    source.stops = {(0, 1): "too little"}
    desk.give("a")
    desk.take("a", MeasurementEvent(measurement=LATENCY))
    assert not desk.take("a", EPOCH)
    desk.stop("a", seconds=3.0)
    expected = Outcome(
        state=State.STOPPED, measurements=(LATENCY,), reason="too little", seconds=3.0
    )
    assert source.outcomes[0] == expected


def test_an_error_of_the_source_ends_everything(desk_of: Any) -> None:
    desk, source = desk_of(3)
    desk.give("a"), desk.give("b")

    def full(job: Job, outcome: Outcome) -> None:
        raise StoreError("the disk is full")

    source.on_outcome = full
    assert not desk.take("a", DONE)
    assert str(desk.error) == "the disk is full"
    assert desk.finished and desk.give("c") is None and not desk.take("b", DONE)


def test_what_a_machine_refuses_is_raised_as_it_was(desk_of: Any) -> None:
    desk, source = desk_of(2)
    desk.give("a")
    assert not desk.take("a", ErrorEvent(error=DataError("node-1: no such folder")))
    assert type(desk.error) is DataError and str(desk.error) == "node-1: no such folder"
    assert source.outcomes == {}
