"""A trial that waits for a device: the wait is not its time, and an endless one not its fault."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from archdsl.device_lock import FOLDER_VARIABLE, DeviceLockError, exclusive
from archdsl.records import Job, State
from archdsl.runners.interfaces import Runner
from archdsl.runners.make import make_runner

MODULE = """
from archdsl.device_lock import exclusive
from archdsl.records import Measurement

class Locked:
    quantity = "latency"

    def protocol(self):
        return {"evaluator": "locked/1"}

    def measure(self, candidate, *, report):
        with exclusive("cpu", wait_s=candidate.params["wait_s"]):
            return Measurement(quantity="latency", value=1.0, low=1.0, high=1.0, unit="ms",
                               protocol=self.protocol())

def make(evaluate, profile):
    return [Locked()]
"""
HELD_SECONDS = 3.0


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_profile: Any) -> Iterator[Any]:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "leases"))
    (tmp_path / "archdsl_leased.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("archdsl_leased")
    made = make_runner(make_profile(time_limit="1.5s"), evaluate={"latency": {}}, make=module.make)
    with closing(made):
        made.protocols()  # the child is up before any clock runs
        yield made


@pytest.mark.slow
def test_a_time_limit_does_not_count_the_wait(
    runner: Runner, make_job: Callable[..., Job], source_of: Any
) -> None:
    taken = threading.Event()

    def hold() -> None:
        with exclusive("cpu"):
            taken.set()
            time.sleep(HELD_SECONDS)

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait()
    source = source_of([make_job(wait_s=60.0)])
    started = time.monotonic()
    runner.run(source)
    holder.join()
    assert source.outcomes[0].state is State.COMPLETE
    assert time.monotonic() - started > 1.5, "longer than the limit"


def test_a_device_that_is_never_free_ends_the_run_and_not_the_trial(
    runner: Runner, make_job: Callable[..., Job], source_of: Any
) -> None:
    source = source_of([make_job(wait_s=0.3)])
    with exclusive("cpu"), pytest.raises(DeviceLockError, match="waited 0 s for cpu"):
        runner.run(source)
    assert source.outcomes == {}, "a resumed search takes the candidate again"
