"""Streams that close or refuse, folders that go, signals: what a command makes of them."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import archdsl
from archdsl.document.shelves import packaged
from archdsl.plan.read import read_model

pytestmark = pytest.mark.process

Start = Callable[..., subprocess.Popen[str]]
Run = Callable[..., Any]
Shell = Callable[..., subprocess.CompletedProcess[str]]
CODE = "from archdsl.cli.main import app_main; app_main()"
LIGHT = ["--help", "--version", "schema study", "check vittm-digits", "front", "check nothing"]


@pytest.fixture
def shell() -> Shell:
    """Runs a line of bash in which `$A` is archdsl; a failure anywhere in a pipe is one."""

    def ran(line: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        root = str(Path(archdsl.__file__).parents[1])
        command = f"{shlex.quote(sys.executable)} -c {shlex.quote(CODE)}"
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line.replace("$A", command)],
            env={**os.environ, "PYTHONPATH": root, **(env or {})},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr + done.stdout
        assert "Exception ignored" not in done.stderr
        assert "internal error" not in done.stderr
        return done

    return ran


def expected(words: str) -> int:
    return 2 if words in ("front", "check nothing") else 0


@pytest.mark.parametrize("words", LIGHT)
def test_a_reader_that_leaves_is_no_error(shell: Shell, words: str) -> None:
    done = shell(f"$A {words} 2> said | true")
    assert done.returncode == expected(words)
    assert bool(Path("said").read_text()) == bool(expected(words))


def test_a_reader_of_messages_that_leaves(shell: Shell, tabular: Path) -> None:
    assert shell("$A search study.yaml 2>&1 > told | true").returncode == 0
    assert "front of 'tabular'" in Path("told").read_text()


@pytest.mark.parametrize("words", LIGHT)
@pytest.mark.parametrize("closed", [">&-", "<&-", ">&- 2>&- <&-"])
def test_streams_that_are_closed(shell: Shell, words: str, closed: str) -> None:
    assert shell(f"$A {words} {closed}").returncode == expected(words)


def test_a_database_never_becomes_standard_output(shell: Shell, tabular: Path) -> None:
    assert shell("$A search study.yaml >&- 2>&-").returncode == 0
    assert "3 of 6 complete trials" in shell("$A front").stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize("words", ["--help", "--version", "schema study", "check vittm-digits"])
def test_a_full_disk_under_the_output(shell: Shell, words: str) -> None:
    done = shell(f"$A {words} > /dev/full")
    assert done.returncode == 2
    assert done.stderr == "archdsl: the disk is full: no space left; free some and run again\n"


def test_a_terminal_that_knows_few_letters(shell: Shell, searched: Any) -> None:
    done = shell("$A front", env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert "depth 4 \\u2192" in done.stdout
    text = Path("study.yaml").read_text().replace("name: tabular", "name: größe")
    Path("study.yaml").write_text(text, encoding="utf-8")
    told = shell("$A check study.yaml --json", env={"PYTHONIOENCODING": "ascii"})
    assert "größe" in json.loads(told.stdout)["documents"][0]["summary"]


@pytest.mark.parametrize("words", ["front", "search digits --objective params,macs --trials 1"])
def test_a_folder_that_is_gone(shell: Shell, words: str) -> None:
    Path("gone").mkdir()
    done = shell(f"cd gone; rmdir ../gone; $A {words}")
    assert done.returncode == 2
    assert "the current folder is not there any more" in done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "cat {} | $A compile - --set depth=2",
        "$A compile /dev/stdin --set depth=2 < {}",
        "$A compile <(cat {}) --set depth=2",
    ],
)
def test_a_document_through_a_pipe(shell: Shell, line: str) -> None:
    path = packaged("specs") / "vittm-digits.yaml"
    done = shell(line.format(shlex.quote(str(path))))
    assert read_model("vittm-digits", ["depth=2"]).plan.arch_id in done.stdout


def begun() -> bool:
    """Whether a trial is under way."""
    try:
        with closing(sqlite3.connect("file:archdsl.db?mode=ro", uri=True)) as connection:
            return bool(connection.execute("SELECT COUNT(*) FROM trials").fetchone()[0])
    except sqlite3.OperationalError:  # not there yet
        return False


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_a_search_that_can_go_on(start: Start, run: Run, number: int) -> None:
    epochs = "evaluate.top1.epochs=500"
    words = ["search", "digits", "--objective", "top1", "--trials", "2", "--set", epochs]
    with start(*words) as command:
        assert command.stderr is not None
        assert "searching" in command.stderr.readline()
        deadline = time.monotonic() + 60
        while not begun() and time.monotonic() < deadline:
            time.sleep(0.1)
        command.send_signal(number)
        out, err = command.communicate(timeout=120)
    assert command.returncode == 128 + number
    assert out == ""
    assert "0 of 2 trials of 'digits' are finished" in err
    assert "the same command goes on from there" in err


LOST = """
import os, signal, time, weakref
from archdsl.cli.process import behind, prepare

class Held:
    def __del__(self):
        if finalized: os.kill(os.getpid(), {number})

prepare()
finalized = {finalized}
signal.signal(signal.SIGINT, signal.default_int_handler)
held = Held()
asked = weakref.ref(held, lambda ref: None if finalized else os.kill(os.getpid(), {number}))
try:
    del held
    time.sleep(20)
except KeyboardInterrupt as interrupt:
    print(behind(interrupt).number, signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""


@pytest.mark.parametrize("finalized", [True, False])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_no_signal_is_lost_where_python_drops_exceptions(
    shell: Shell, number: signal.Signals, finalized: bool
) -> None:
    code = LOST.format(number=int(number), finalized=finalized)
    done = shell(f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}")
    assert done.stdout == f"{int(number)} {number == signal.SIGTERM}\n"


def test_whoever_ignores_a_signal_keeps_ignoring_it(shell: Shell) -> None:
    code = (
        "import signal; from archdsl.cli.process import prepare; prepare(); "
        "print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)"
    )
    line = f"trap '' HUP; {shlex.quote(sys.executable)} -c {shlex.quote(code)}"
    assert shell(line).stdout == "True\n"
