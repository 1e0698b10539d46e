"""Device locks between real processes: who waits for whom, and what death releases."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from archdsl.device_lock import (
    FOLDER_VARIABLE,
    DeviceLockError,
    SharedDeviceLock,
    exclusive,
    lock_folder,
    report_waits,
)

pytestmark = pytest.mark.process

PROGRAM = Path(__file__).with_name("device_lock_process.py")
ROOT = Path(__file__).parents[1]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "leases"))
    return tmp_path / "leases"


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a holder; all are ended with the test."""
    with ExitStack() as stack:

        def run(*arguments: str) -> subprocess.Popen[str]:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, str(PROGRAM), *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, "PYTHONPATH": str(ROOT)},
                )
            )
            stack.callback(process.kill)
            return process

        yield run


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_two_measurers_exclude_each_other(start: Start) -> None:
    first = start("exclusive", "cpu")
    assert line(first) == "held"
    refused = pytest.raises(
        DeviceLockError, match=rf"waited 0 s for cpu: process {first.pid}, .*kill"
    )
    with refused, exclusive("cpu", wait_s=0.2):
        pytest.fail("two measurers at once")
    with exclusive("other", wait_s=0.2):
        pass  # another device is another matter
    first.communicate("done")
    with exclusive("cpu", wait_s=5):
        pass


@pytest.mark.parametrize("how", ["exclusive", "shared"])
def test_death_releases_the_lease(start: Start, how: str) -> None:
    holder = start(how, "cpu")
    assert line(holder) == "held"
    holder.kill()
    with exclusive("cpu", wait_s=10):
        pass


def test_trainers_share_and_give_way_together(start: Start) -> None:
    trainers = [start("shared", "cuda-1", "cpu"), start("shared", "cpu")]
    assert [line(trainer) for trainer in trainers] == ["held", "held"]
    with exclusive("cpu", wait_s=10):
        for trainer in trainers:
            assert line(trainer) == "synchronized", "a GPU's work is finished before it is left"
        with exclusive("cuda-1", wait_s=10):
            time.sleep(0.3)
    for trainer in trainers:
        word, seconds = line(trainer).split()
        assert word == "again", "it goes on"
        assert float(seconds) > 0.2


def test_a_stopped_trainer_is_named(start: Start) -> None:
    trainer = start("shared", "cpu")
    assert line(trainer) == "held"
    trainer.send_signal(19)  # SIGSTOP
    refused = pytest.raises(
        DeviceLockError, match=rf"process {trainer.pid}, which measures or trains"
    )
    with refused, exclusive("cpu", wait_s=0.3):
        pytest.fail("measured beside a trainer")
    with SharedDeviceLock(["cpu"], wait_s=1):
        pass  # the measurer that gave up is in nobody's way


def test_a_trainer_waits_only_so_long(start: Start) -> None:
    measurer = start("exclusive", "cpu")
    assert line(measurer) == "held"
    told: list[float] = []
    with report_waits(told.append), pytest.raises(DeviceLockError, match=f"process {measurer.pid}"):
        SharedDeviceLock(["cpu"], wait_s=1.2).__enter__()
    assert 0.5 <= sum(told) <= 5, "who limits our time hears of the wait while it lasts"


def test_a_forked_child_holds_nothing() -> None:
    with exclusive("cpu"):
        child = os.fork()
        if child == 0:
            time.sleep(30)
            os._exit(0)
    try:
        with exclusive("cpu", wait_s=5):
            pass
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_the_folder_is_made_for_this_user_alone(folder: Path) -> None:
    assert lock_folder() == folder
    assert folder.stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(DeviceLockError, match=FOLDER_VARIABLE):
        lock_folder()


def test_a_lock_file_that_is_taken_away_is_made_anew(folder: Path, start: Start) -> None:
    with exclusive("cpu"):
        pass
    for name in ("cpu.intent", "cpu.use"):
        (folder / name).unlink()
    with exclusive("cpu", wait_s=1):
        assert (folder / "cpu.use").exists()
