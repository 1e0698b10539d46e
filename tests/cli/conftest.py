"""The command line as a user meets it: a process, its exit status, what it prints."""

from __future__ import annotations

import json
import lzma
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import archdsl

MAIN = [sys.executable, "-c", "from archdsl.cli.main import app_main; app_main()"]
SERVER = Path(__file__).with_name("command_server.py")
SECONDS = 120


def environment(**changed: str) -> Mapping[str, str]:
    """One thread for training: several on a machine that others use wait for each other."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(archdsl.__file__).parents[1]),
        **changed,
    }


@dataclass(frozen=True, kw_only=True)
class Done:
    """A finished command."""

    code: int
    out: str
    err: str
    seconds: float | None = None
    """Of the processor, where they were counted."""

    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


Command = Callable[..., Done]


def on_a_terminal(*arguments: str, out: int | None) -> tuple[str, str]:
    """Runs `archdsl ARGUMENTS` with standard error on a terminal of 80 columns.

    Args:
        arguments: of the command.
        out: `subprocess.PIPE`, or None for standard output on the terminal, too.

    Returns:
        Standard output, empty on the terminal; all that was drawn.
    """
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [*MAIN, *arguments],
        env=environment(TERM="xterm", COLUMNS="80"),
        stdout=theirs if out is None else out,
        stderr=theirs,
        text=True,
    ) as command:
        os.close(theirs)
        drawn = b""
        with suppress(OSError):  # a terminal that nobody writes to any more
            while piece := os.read(ours, 65536):
                drawn += piece
        os.close(ours)
        printed = command.stdout.read() if command.stdout else ""
    assert command.returncode == 0, drawn
    return printed, drawn.decode()


@pytest.fixture
def on_terminal() -> Callable[..., tuple[Any, str]]:
    """Runs `archdsl ARGUMENTS` with standard error on a terminal: its JSON and what was drawn."""

    def ran(*arguments: str) -> tuple[Any, str]:
        printed, drawn = on_a_terminal(*arguments, out=subprocess.PIPE)
        return json.loads(printed), drawn

    return ran


@pytest.fixture
def drawn() -> Callable[..., str]:
    """Runs `archdsl ARGUMENTS` on a terminal: all that was drawn."""
    return lambda *arguments: on_a_terminal(*arguments, out=None)[1]


class Server:
    """`command_server.py`, as long as there are commands for it."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        self._ours.settimeout(SECONDS)
        self._process = subprocess.Popen(
            [sys.executable, str(SERVER), str(theirs.fileno())],
            # Threads, those of pandas' libraries among them, cannot be forked.
            env=environment(
                OPENBLAS_NUM_THREADS="1", JE_ARROW_MALLOC_CONF="background_thread:false"
            ),
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        self._answers = self._ours.makefile("r")

    def run(self, *arguments: str) -> Done:
        """One command in the current folder."""
        request = {
            "arguments": arguments,
            "folder": str(Path.cwd()),
            "environment": {**environment()},
        }
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            files = [out.fileno(), err.fileno()]
            socket.send_fds(self._ours, [json.dumps(request).encode()], files)
            pid = int(self._answers.readline())
            try:
                code, seconds = self._answers.readline().split()
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                self._answers.readline()
                raise
            out.seek(0)
            err.seek(0)
            return Done(code=int(code), out=out.read(), err=err.read(), seconds=float(seconds))

    def close(self) -> None:
        self._ours.close()
        self._answers.close()
        self._process.wait()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Where commands run that need no interpreter of their own."""
    with closing(Server()) as opened:
        yield opened


def in_its_own_interpreter(*arguments: str, **changed: str) -> Done:
    done = subprocess.run(
        [*MAIN, *arguments],
        env=environment(**changed),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return Done(code=done.returncode, out=done.stdout, err=done.stderr)


@pytest.fixture
def run(server: Server) -> Command:
    """Runs `archdsl ARGUMENTS` in the current folder; a traceback is never an answer.

    A process of its own each, and with `fresh` or an environment an interpreter of its own, too:
    nothing is imported yet, and sets have an order of their own.
    """

    def ran(
        *arguments: str,
        code: int | None = 0,
        env: Mapping[str, str] | None = None,
        fresh: bool = False,
    ) -> Done:
        if fresh or env:
            found = in_its_own_interpreter(*arguments, **(env or {}))
        else:
            found = server.run(*arguments)
        if "--debug" not in arguments:
            assert "Traceback" not in found.out + found.err, found.err
        assert code is None or found.code == code, found
        return found

    return ran


class Started(subprocess.Popen[str]):
    """A command that is not waited for once its test has failed."""

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, *rest)


@pytest.fixture
def start() -> Callable[..., subprocess.Popen[str]]:
    """Starts `archdsl ARGUMENTS` as the leader of a process group of its own."""

    def started(*arguments: str) -> subprocess.Popen[str]:
        return Started(
            [*MAIN, *arguments],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return started


TABLE = """\
depth,process.dim,latency,latency_low,latency_high,top1,test_top1
,,2,1.9,2.1,60,59
1,32,0.5,0.5,0.5,40,39
1,64,1,1,1,50,48
2,32,1.5,1.5,1.5,45,44
3,32,3,3,3,55,54
3,64,3.5,3.4,3.6,66,64
4,32,4,4,4,58,57
4,64,5,5,5,70,68
2,64,2.5,2.5,2.5,52,51
"""
STUDY = """\
archdsl: 1
kind: study
name: tabular
base: vittm-digits
space:
  depth: {choose: [1, 2, 3, 4]}
  process: {dim: {choose: [32, 64]}}
objectives: {latency: minimize, top1: maximize}
evaluate:
  latency: {table: values.csv}
  top1: {table: values.csv}
budget: {trials: 6}
sampler: {type: tpe, seed: 0}
"""


@pytest.fixture
def tabular(folder: Path) -> Path:
    """A study whose values are in a table: `study.yaml`."""
    (folder / "values.csv").write_text(TABLE)
    path = folder / "study.yaml"
    path.write_text(STUDY)
    return path


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """A folder in which the study was searched, and what that printed."""
    folder = tmp_path_factory.mktemp("once")
    (folder / "values.csv").write_text(TABLE)
    (folder / "study.yaml").write_text(STUDY)
    done = subprocess.run(
        [*MAIN, "search", "--json", "study.yaml"],
        env=environment(),
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return folder, Done(code=0, out=done.stdout, err=done.stderr)


@pytest.fixture
def searched(folder: Path, once: tuple[Path, Done]) -> Done:
    """The study, searched, here."""
    shutil.copytree(once[0], folder, dirs_exist_ok=True)
    return once[1]


SEARCHED = Path(__file__).parents[1] / "goldens/assets/searched"


def unpack_trained_study(folder: Path) -> None:
    """A study of three networks that were trained on digits, with their weights, in a folder."""
    shutil.copytree(SEARCHED / "files", folder / "archdsl-files")
    database = lzma.decompress((SEARCHED / "store.sqlite.xz").read_bytes())
    (folder / "archdsl.db").write_bytes(database)


ARGUMENTS = ("train", "vittm-digits", "--data", "digits", "--set", "depth=1", "--threads", "1")
SHORT = (*ARGUMENTS, "--epochs", "1", "-o", "runs/one")


@pytest.fixture(scope="session")
def trained_once(server: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """A folder in which `SHORT` was run, and what that said."""
    folder, before = tmp_path_factory.mktemp("trained"), Path.cwd()
    os.chdir(folder)
    try:
        done = server.run(*SHORT, "--json")
    finally:
        os.chdir(before)
    assert done.code == 0, done.err
    return folder, done


@pytest.fixture
def trained(folder: Path, trained_once: tuple[Path, Done]) -> Done:
    """The same, here."""
    shutil.copytree(trained_once[0], folder, dirs_exist_ok=True)
    return trained_once[1]
