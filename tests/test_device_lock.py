"""Device locks between real processes: who waits for whom, and what death releases."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from archdsl import device_lock
from archdsl.device_lock import (
    FOLDER_VARIABLE,
    DeviceLockError,
    SharedDeviceLock,
    exclusive,
    lock_file,
    lock_folder,
    report_waits,
)
from archdsl.measuring.fixed_work import KeptTimes

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
    listen = report_waits(lambda seconds, words: told.append(seconds))
    with listen, pytest.raises(DeviceLockError, match=f"process {measurer.pid}"):
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


def test_a_wait_is_put_into_words_while_it_lasts(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(device_lock, "_TELL_SECONDS", 0.5)
    measurer = start("exclusive", "cpu")
    assert line(measurer) == "held"
    told: list[str] = []
    listen = report_waits(lambda seconds, words: told.append(words))
    with listen, pytest.raises(DeviceLockError), exclusive("cpu", wait_s=2.2):
        pass
    expected = f"waiting for cpu for 1 s: process {measurer.pid}, which measures or trains there"
    assert [words.partition(", holds")[0] for words in told if words] == [expected], "told once"
    assert not caplog.records, "who listens decides what is shown"
    with pytest.raises(DeviceLockError), exclusive("cpu", wait_s=1.2):
        pass
    (record,) = caplog.records
    assert record.getMessage().startswith(expected)


def test_the_folder_is_made_for_this_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE)
    monkeypatch.setattr(lock_file, "_SHARED_TEMPORARY", tmp_path)
    made = lock_folder()
    assert made == tmp_path / f"archdsl-{os.getuid()}"
    assert made.stat().st_mode & 0o077 == 0
    with exclusive("cpu"):
        assert (made / "cpu.use").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize("mode", [0o1777, 0o2777, 0o777])
def test_several_users_share_a_folder_that_all_can_write_to(
    monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as shared:  # which every user can reach
        monkeypatch.setenv(FOLDER_VARIABLE, shared)
        os.chmod(shared, mode)  # noqa: PTH101 - the path is a text
        fingerprint = {"kind": "test"}
        with exclusive("cpu"):
            KeptTimes("x", version="x/1", fingerprint=fingerprint).write("ms", [1.0])
            assert _as_another_user(_cannot_measure) == 0
        assert _as_another_user(_measures) == 0
        with exclusive("cpu", wait_s=1), SharedDeviceLock(["cuda-0"], wait_s=1):
            assert KeptTimes("x", version="x/1", fingerprint=fingerprint).read("ms") == [1.0]


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
def test_whose_file_bars_the_way_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as shared:  # which every user can reach
        monkeypatch.setenv(FOLDER_VARIABLE, shared)
        folder = Path(shared)
        folder.chmod(0o755)
        assert _as_another_user(_may_make_no_file) == 0
        folder.chmod(0o1777)
        path = folder / "cpu.intent"
        path.touch(mode=0o600)
        assert _as_another_user(_may_not_read) == 0
        path.chmod(0o644)
        assert _as_another_user(_measures) == 0
    with tempfile.TemporaryDirectory(dir="/tmp") as tmp:
        monkeypatch.delenv(FOLDER_VARIABLE)
        monkeypatch.setattr(lock_file, "_SHARED_TEMPORARY", Path(tmp))
        made = lock_folder()
        os.chown(made, 12345, -1)
        with pytest.raises(DeviceLockError, match="belongs to the user of number 12345; have them"):
            lock_folder()


def _may_make_no_file() -> None:
    told = r"belongs to the user root \(mode 0755\): have it made writable \(chmod 1777 /tmp/"
    with pytest.raises(DeviceLockError, match=told), exclusive("cpu", wait_s=0):
        pass


def _may_not_read() -> None:
    told = r"cpu.intent belongs to the user root \(mode 0600\): have it made readable \(chmod a\+r"
    with pytest.raises(DeviceLockError, match=told), exclusive("cpu", wait_s=0):
        pass


def test_what_is_no_lock_file_is_told(folder: Path) -> None:
    folder.mkdir()
    path = folder / "cpu.intent"
    path.mkdir()
    with pytest.raises(DeviceLockError, match="it is no ordinary file: remove it, or name"):
        exclusive("cpu", wait_s=0).__enter__()
    path.rmdir()
    path.symlink_to(folder / "gone" / "file")
    with pytest.raises(DeviceLockError, match="a link that leads to no such file: remove it, or"):
        exclusive("cpu", wait_s=0).__enter__()


def _cannot_measure() -> None:
    with pytest.raises(DeviceLockError, match="waited"), exclusive("cpu", wait_s=0.3):
        pass


def _measures() -> None:
    with exclusive("cpu", wait_s=1), SharedDeviceLock(["cuda-0"], wait_s=1):
        kept = KeptTimes("x", version="x/1", fingerprint={"kind": "test"})
        kept.write("ms", [2.0])
        assert KeptTimes("x", version="x/1", fingerprint={"kind": "test"}).read("ms") == [2.0]


def _as_another_user(work: Callable[[], None]) -> int:
    """The exit status of a process of user `nobody` that does the work."""
    child = os.fork()
    if child == 0:
        try:
            os.setuid(65534)
            work()
        except BaseException:  # the test's own process must not go on here
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


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
