"""Candidates under Ray Tune: lost processes, and what is refused before anything trains."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from archdsl.errors import ArchdslError, DataError, StoreError
from archdsl.records import Job, State
from archdsl.runners.interfaces import Runner, RunnerError
from archdsl.runners.make import make_runner

pytest.importorskip("ray.tune", reason="an extra")

EVALUATE: Mapping[str, Mapping[str, Any]] = {"latency": {}, "top1": {}}
MakeRunner = Callable[..., Runner]


@pytest.fixture
def make_ray_runner(toys: Any, make_profile: Any) -> Iterator[MakeRunner]:
    made: list[Runner] = []

    def runner(*, of: Any = None, training: Any = None, **words: Any) -> Runner:
        slot = training or {"device": "cpu", "cpus": 0.5}
        profile = make_profile(executor="ray", training=slot, **words)
        made.append(make_runner(profile, evaluate=EVALUATE, make=of or toys.make))
        return made[-1]

    yield runner
    for each in made:
        each.close()


@pytest.mark.slow
def test_a_lost_process_is_made_good_and_one_that_always_is_is_given_up(
    make_ray_runner: MakeRunner, make_job: Callable[..., Job], source_of: Any
) -> None:
    words = ["lose_machine_once", "lose_machine", "two_epochs"]
    source = source_of([make_job(number, top1=word) for number, word in enumerate(words)])
    make_ray_runner(concurrent=1).run(source)
    assert [source.outcomes[n].state for n in range(3)] == [
        State.COMPLETE,
        State.CRASHED,
        State.COMPLETE,
    ]
    assert "died 2 times without a new epoch in between" in source.outcomes[1].reason
    assert [report[:2] for report in source.reports] == [(0, 1), (2, 1), (2, 2)]
    assert source.measured == [(n, "latency", 1.0) for n in range(3)], "none was made again"


@pytest.mark.slow
def test_a_candidate_that_takes_the_lane_with_it_is_given_up(
    make_ray_runner: MakeRunner, make_job: Callable[..., Job], source_of: Any
) -> None:
    words = ["lose_machine", 1.0]
    source = source_of([make_job(number, latency=word) for number, word in enumerate(words)])
    make_ray_runner(concurrent=1, latency_lane={"cpus": 0.1}).run(source)
    assert [source.outcomes[n].state for n in range(2)] == [State.CRASHED, State.COMPLETE]
    assert "the latency lane's process was lost" in source.outcomes[0].reason


@pytest.mark.slow
def test_an_error_of_the_search_ends_the_run(
    make_ray_runner: MakeRunner, make_job: Callable[..., Job], source_of: Any
) -> None:
    source = source_of([make_job(number, top1="two_epochs") for number in range(3)])

    def full(job: Job, name: str, epoch: int, value: float) -> None:
        raise StoreError("the disk is full")

    source.on_report = full
    with pytest.raises(StoreError, match="the disk is full"):
        make_ray_runner().run(source)
    assert source.outcomes == {}


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        (
            {"latency_lane": {"gpus": 1, "accelerator_type": "A100"}},
            RunnerError,
            "the latency lane asks for 1 CPU, 1 GPU, A100, and no machine has that; there is: ",
        ),
        ({"of": "make_no_data"}, DataError, ": no such folder"),
    ],
)
def test_what_is_not_there_is_refused_before_anything_trains(
    make_ray_runner: MakeRunner,
    toys: Any,
    words: dict[str, Any],
    kind: type[ArchdslError],
    message: str,
) -> None:
    if "of" in words:
        words = {"of": getattr(toys, words["of"])}
    with pytest.raises(kind) as caught:
        make_ray_runner(**words).protocols()
    assert type(caught.value) is kind
    assert message in str(caught.value)


def test_an_address_where_nothing_listens(make_ray_runner: MakeRunner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(RunnerError, match=f"nothing answers at 127.0.0.1:{port}"):
        make_ray_runner(address=f"127.0.0.1:{port}").protocols()
    assert time.monotonic() - started < 10


def test_an_address_where_something_else_answers(make_ray_runner: MakeRunner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_swallow, args=(server,), daemon=True).start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(RunnerError, match=f"no Ray cluster answers at {address}"):
            make_ray_runner(address=address).protocols()
        assert time.monotonic() - started < 10


def test_no_cluster_on_this_machine(
    make_ray_runner: MakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")  # what auto means
    with pytest.raises(RunnerError, match=f"nothing answers at 127.0.0.1:{port}"):
        make_ray_runner(address="auto").protocols()


def test_no_cluster_anywhere_here(
    make_ray_runner: MakeRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))  # where Ray notes the last one
    monkeypatch.chdir(tmp_path)
    (tmp_path / "random.py").write_text("raise SystemExit('not the standard library')")
    if any("gcs_server" in each.info["name"] for each in psutil.process_iter(["name"])):
        pytest.skip("a Ray runs on this machine")
    with pytest.raises(RunnerError) as caught:
        make_ray_runner(address="auto").protocols()
    assert str(caught.value) == (
        "no Ray cluster answers on this machine (address: auto); start one (`ray start --head`), "
        "or name the address of one in the run profile"
    )


def _swallow(server: socket.socket) -> None:
    kept = []
    try:
        while True:
            kept.append(server.accept()[0])
    except OSError:
        for each in kept:
            each.close()
