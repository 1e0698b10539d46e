"""Toy evaluators for a worker, in a module that the child process can import by name."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from archdsl.records import Job, Measurement, Outcome
from archdsl.runners.profile import RunProfile
from archdsl.runners.read import PROFILES

ROOT = Path(__file__).parents[2]
TOYS = '''
import ctypes, math, os, signal, subprocess, sys, time
from pathlib import Path
from archdsl.errors import DataError, DocumentError, Problem
from archdsl.records import Measurement

class DivergedError(Exception):
    """As a training raises it."""

class Toy:
    """Measures what the candidate's decisions say, or does what they tell."""

    def __init__(self, quantity):
        self.quantity = quantity

    def protocol(self):
        return {"evaluator": "toy/1", "quantity": self.quantity}

    def measure(self, candidate, *, report):
        word = candidate.params.get(self.quantity, 1.0)
        if isinstance(word, str):
            word = getattr(self, word)(candidate, report)
        return Measurement(quantity=self.quantity, value=word, low=word, high=word, unit="ms",
                           protocol=self.protocol(), detail={"pid": os.getpid()})

    def fail(self, candidate, report):
        raise TypeError("no\\nsuch thing")

    def diverge(self, candidate, report):
        raise DivergedError("the loss became nan")

    def nan(self, candidate, report):
        return math.nan

    def memory_error(self, candidate, report):
        raise MemoryError

    def cpu_memory(self, candidate, report):
        import torch
        torch.empty(2**60, dtype=torch.uint8)

    def gpu_memory(self, candidate, report):
        import torch
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    def segfault(self, candidate, report):
        ctypes.string_at(0)

    def kill(self, candidate, report):
        os.kill(os.getpid(), signal.SIGKILL)

    def kill_once(self, candidate, report):
        note = Path(candidate.folder, f"killed-{candidate.number}")
        if note.exists():
            return 1.0
        note.touch()
        return self.kill(candidate, report)

    def kill_after_each_epoch(self, candidate, report):
        note = Path(candidate.folder, f"epochs-{candidate.number}")
        told = int(note.read_text()) if note.exists() else 0
        for epoch in range(1, told + 2):
            report(epoch, 50.0)
        note.write_text(str(told + 1))
        return 60.0 if told == 4 else self.kill(candidate, report)

    def exit(self, candidate, report):
        os._exit(3)

    def orphaned_helper(self, candidate, report):
        for fd in map(int, os.listdir("/proc/self/fd")):
            if os.path.exists(f"/proc/self/fd/{fd}"):
                os.set_inheritable(fd, True)
        helper = subprocess.Popen(["sleep", "600"], close_fds=False)
        Path(candidate.folder, "helper").write_text(str(helper.pid))
        os.kill(os.getpid(), signal.SIGKILL)

    def sleep(self, candidate, report):
        helper = subprocess.Popen(["sleep", "600"])
        note = Path(candidate.folder, "asleep.tmp")
        note.write_text(f"{os.getpid()} {helper.pid}")
        note.rename(note.with_suffix(""))
        time.sleep(600)

    def two_epochs(self, candidate, report):
        report(1, 50.0)
        report(2, 60.0)
        return 60.0

    def noted_epochs(self, candidate, report):
        for epoch in (1, 2):
            Path(candidate.folder, f"epoch-{epoch}").touch()
            report(epoch, 50.0)
        return 60.0

    def lose_machine_once(self, candidate, report):
        note = Path(candidate.folder, f"lost-{candidate.number}")
        if note.exists():
            return 1.0
        report(1, 50.0)
        note.touch()
        return self.lose_machine(candidate, report)

    def lose_machine(self, candidate, report):
        time.sleep(0.5)  # what was measured before has been told
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)

    def chatter(self, candidate, report):
        print("a library prints")
        os.write(1, b"and so does C code")
        return 1.0

    def stubborn(self, candidate, report):
        os.kill(os.getpid(), signal.SIGINT)
        return 1.0

def make(evaluate, profile):
    return [Toy(quantity) for quantity in evaluate]

def make_no_data(evaluate, profile):
    raise DataError("no such folder")

def make_bad_document(evaluate, profile):
    raise DocumentError([Problem(source="a.yaml", line=2, column=3, path="x", message="bad")])

def make_a_mess(evaluate, profile):
    raise TypeError("a mistake of ours")

def make_killed_once(evaluate, profile):
    note = Path(profile.storage).with_name("made")
    if not note.exists():
        note.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return make(evaluate, profile)

def make_nothing(evaluate, profile):
    os._exit(7)
'''

Write = Callable[..., RunProfile]


@dataclass(frozen=True, kw_only=True)
class Head:
    """The first machine of a cluster, as `ray start` makes it here.

    Args:
        address: `HOST:PORT`.
        said: by `ray start`.
        kill: ends all its processes at once, as a machine that goes down.
    """

    address: str
    said: str
    kill: Callable[[], None]


@contextmanager
def _ray_head(environment: Mapping[str, str]) -> Iterator[Head]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    words = ["--head", "--block", "--num-cpus=1", f"--port={port}", "--include-dashboard=false"]
    # Its sockets need a short path.
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", *words]
        with subprocess.Popen(
            [*command, f"--temp-dir={folder}"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as started:

            def kill() -> None:
                if started.poll() is None:
                    processes = psutil.Process(started.pid).children(recursive=True)
                    for each in (started, *processes):
                        with suppress(psutil.NoSuchProcess):
                            each.kill()
                    started.wait()

            said = ""
            assert started.stdout is not None
            for line in started.stdout:
                said += line
                if "Ray runtime started" in line:
                    break
            else:
                raise AssertionError(said)
            try:
                yield Head(address=f"127.0.0.1:{port}", said=said, kill=kill)
            finally:
                kill()


@pytest.fixture(scope="session")
def ray_head() -> Callable[[Mapping[str, str]], AbstractContextManager[Head]]:
    """Starts a cluster of one machine with an environment, and ends it."""
    return _ray_head


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of toys, on `sys.path` for this process and the child."""
    import importlib
    import sys

    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "archdsl_toys.py").write_text(TOYS)
    _put_on_path(folder, monkeypatch)
    sys.modules.pop("archdsl_toys", None)
    return importlib.import_module("archdsl_toys")


def _put_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For this process, and for those that find their modules through the environment."""
    monkeypatch.syspath_prepend(folder)
    paths = [str(folder), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


@pytest.fixture(scope="module")
def _here_on_path() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        _put_on_path(Path(__file__).parent, patch)
        yield


@pytest.fixture(scope="module")
def diary_toys(_here_on_path: None) -> Any:
    """The module of evaluators with a diary, for this process and all it starts."""
    import importlib

    return importlib.import_module("archdsl_diary_toys")


@pytest.fixture(scope="module")
def noted_trainings(_here_on_path: None) -> Any:
    """The module of real evaluators with a diary, for this process and all it starts."""
    import importlib

    return importlib.import_module("archdsl_noted_trainings")


@pytest.fixture
def make_job(tmp_path: Path) -> Callable[..., Job]:
    def made(number: int = 0, *, known: Sequence[Measurement] = (), **params: object) -> Job:
        return Job(
            trial_id=number + 1,
            number=number,
            arch_id=f"arch{number}",
            spec={},
            params=params,
            known=tuple(known),
            folder=str(tmp_path),
        )

    return made


@pytest.fixture
def make_profile(tmp_path: Path) -> Write:
    def made(**words: object) -> RunProfile:
        kind = PROFILES[str(words.get("executor", "local"))]
        return kind.model_validate(
            {
                "archdsl": 1,
                "kind": "runner",
                "name": "test",
                "executor": "local",
                "training": {"device": "cpu"},
                "storage": str(tmp_path / "files"),
            }
            | words
        )

    return made


class ListSource:
    """Gives out a list of jobs and keeps what comes back."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = list(jobs)
        self.reports: list[tuple[int, int, str, float]] = []
        self.measured: list[tuple[int, str, float]] = []
        self.outcomes: dict[int, Outcome] = {}
        self.stops: dict[tuple[int, int], str] = {}
        """Number of a job and epoch to why it is stopped there."""

    def next_job(self) -> Job | None:
        return self._jobs.pop(0) if self._jobs else None

    def on_measurement(self, job: Job, measurement: Measurement) -> None:
        self.measured.append((job.number, measurement.quantity, measurement.value))

    def on_report(self, job: Job, name: str, epoch: int, value: float) -> str | None:
        self.reports.append((job.number, epoch, name, value))
        return self.stops.get((job.number, epoch))

    def on_outcome(self, job: Job, outcome: Outcome) -> None:
        assert job.number not in self.outcomes, "told once"
        self.outcomes[job.number] = outcome


@pytest.fixture
def source_of() -> Callable[[Sequence[Job]], ListSource]:
    return ListSource
