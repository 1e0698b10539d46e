"""`watch`: a running search seen from outside, which neither waits for it nor makes it wait."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archdsl.records import Outcome, State
from archdsl.store.owner import Owner
from archdsl.store.rows import Architecture, NewTrial
from archdsl.store.store import open_store

Run = Callable[..., Any]
Start = Callable[..., subprocess.Popen[str]]

SNAPSHOT = {"study", "objectives", "budget", "done", "over", "seconds_left", "states", "running",
            "front", "failures"}  # fmt: skip


def add_trial(name: str, arch_id: str, *, owner: Owner | None = None) -> tuple[int, str]:
    """A running trial; its row and token."""
    with open_store("archdsl.db") as store:
        trial = store.trials.add(
            NewTrial(architecture=Architecture(arch_id=arch_id)),
            study_id=store.studies.find(name).id,
            budget=None,
            owner=owner or Owner.current(),
        )
    assert trial is not None
    return trial.id, trial.token or ""


def test_once_shows_a_finished_search(run: Run, searched: Any) -> None:
    told = run("watch", "--once").out
    assert "tabular" in told
    assert "6/6 trials" in told
    assert "6 complete" in told
    assert "the budget is spent" in told
    snapshot = run("watch", "--json").json()
    assert set(snapshot) == SNAPSHOT
    assert (snapshot["over"], snapshot["budget"], snapshot["states"]["complete"]) == (True, 6, 6)
    members = {member["trial"] for member in searched.json()["members"]}
    assert {member["trial"] for member in snapshot["front"]} == members
    for member in members:
        assert f"trial {member} " in told
    ended = run("watch")
    assert ended.out.startswith("tabular: 6/6 trials")
    assert ended.err == ""


def test_every_command_counts_alike_what_a_search_has_left(run: Run, searched: Any) -> None:
    add_trial("tabular", "now")
    add_trial("tabular", "left", owner=replace(Owner.current(), pid=1, process_start="long ago"))
    told = run("watch", "--once").out
    assert "6/6 trials" in told
    assert "1 running, 1 left" in told
    told = run("front").out
    assert "not complete: 1 running, 1 left" in told
    assert "left by a search that ended: trial 7; the same search command goes on" in told
    assert run("front", "--json").json()["not_complete"] == {"running": 1, "left": 1}
    assert run("studies", "--json").json()["studies"][0]["trials"] == 6
    run("report")
    assert "6 complete, 1 running, 1 left." in Path("report.html").read_text()


def test_what_runs_and_what_failed(run: Run, searched: Any) -> None:
    trial_id, token = add_trial("tabular", "now")
    add_trial("tabular", "left", owner=Owner(host="far", boot_id="x", pid=7, process_start="1"))
    failed, its_token = add_trial("tabular", "bad")
    reason = "the worker said \x1b[31m[bold]no[/bold] <script>\nand went"
    with open_store("archdsl.db") as store:
        store.epochs.report(trial_id=trial_id, token=token, epoch=3, name="top1", value=61.5)
        store.epochs.report(
            trial_id=trial_id, token=token, epoch=4, name="top1", value=float("nan")
        )
        store.trials.finish(
            trial_id=failed,
            token=its_token,
            outcome=Outcome(state=State.CRASHED, reason=reason),
            values={},
        )
    told = run("watch", "--once").out
    assert "trial 6: epoch 4, top1 nan %" in told
    assert "trial 7: left by process 7 on far" in told
    assert "trial 8 crashed: the worker said \N{REPLACEMENT CHARACTER}[31m[bold]no[/bold]" in told
    assert "\x1b" not in told
    snapshot = run("watch", "--json").json()
    assert snapshot["over"] is False
    assert [(each["trial"], each["alive"]) for each in snapshot["running"]] == [
        (6, True),
        (7, False),
    ]
    assert snapshot["running"][0]["reported"] == {"top1": None}
    assert snapshot["failures"] == [{"trial": 8, "state": "crashed", "reason": reason}]


def test_it_waits_for_its_search_and_ends_with_it(run: Run, start: Start, tabular: Path) -> None:
    with start("watch") as watch:
        assert watch.stderr is not None
        assert "waiting for `archdsl search`" in watch.stderr.readline()
        time.sleep(0.2)
        assert watch.poll() is None
        assert not Path("archdsl.db").exists()
        run("search", "study.yaml", "--json")
        out, err = watch.communicate(timeout=120)
    assert (watch.returncode, err) == (0, "")
    assert "6/6 trials" in out.splitlines()[-1]


def test_it_ends_with_a_search_that_cannot_spend_its_budget(run: Run, tabular: Path) -> None:
    """The space has 8 combinations, the base among them."""
    exhausted = "space exhausted: all 8 combinations give no new model; 8 architectures were"
    found = run("search", "study.yaml", "--trials", "99", "--json").json()
    assert (found["ran"], found["note"][: len(exhausted)]) == (8, exhausted)
    *_, where, why = run("watch").out.splitlines()
    assert "8/99 trials" in where and exhausted in why
    assert "space exhausted: " in run("watch", "--once").out
    assert run("watch", "--json").json()["over"] is True
    [listed] = run("studies", "--json").json()["studies"]
    assert listed["state"] == "complete"
    assert run("search", "study.yaml", "--trials", "8", "--json").json()["note"] is None


def test_it_ends_with_a_search_that_found_nothing(run: Run, tabular: Path) -> None:
    words = ["--set", "constraints=[params <= 1]", "--trials", "99"]
    said = run("search", "study.yaml", *words, code=2)
    watched = run("watch")
    for line in watched.out.splitlines()[1:]:
        assert line in said.err
    assert "break a constraint; the closest: params is " in watched.out


def test_one_line_for_each_change(start: Start, folder: Path) -> None:
    with open_store("archdsl.db") as store:
        store.studies.ensure(
            name="slow", document={"evaluate": {"latency": {"device": "cpu"}}},
            objectives={"latency": "minimize"}, budget=2,
        )  # fmt: skip
    with start("watch") as watch:
        assert watch.stdout is not None
        lines = iter(watch.stdout.readline, "")
        assert next(lines) == "slow: 0/2 trials\n"
        for number, (state, reason) in enumerate([(State.TIMED_OUT, "60 s"), (State.FAILED, "")]):
            trial_id, token = add_trial("slow", f"arch-{number}")
            assert next(lines) == f"trial {number}: measuring latency\n"
            with open_store("archdsl.db") as store:
                outcome = Outcome(state=state, reason=reason, seconds=0.5)
                store.trials.finish(trial_id=trial_id, token=token, outcome=outcome, values={})
            line = next(lines)
            assert line.startswith(f"trial {number} {state.value}{': 60 s' if reason else ''} (")
            assert f"({number + 1}/2 trials" in line
        assert list(lines) == ["no trial of 2 gave a result\n", "trial 0 timed_out: 60 s\n"]
    assert watch.returncode == 0


def test_a_study_that_is_gone_is_not_waited_for(start: Start, folder: Path) -> None:
    """As where a search ends because its base cannot be evaluated."""
    with open_store("archdsl.db") as store:
        store.studies.ensure(name="gone", document={}, objectives={"latency": "minimize"}, budget=2)
        with start("watch") as watch:
            assert watch.stdout is not None
            assert watch.stdout.readline() == "gone: 0/2 trials\n"
            store.studies.delete("gone")
            _, err = watch.communicate(timeout=120)
    assert watch.returncode == 2
    assert "the study is gone from archdsl.db: its search ended with nothing to keep" in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_ctrl_c_is_no_error(start: Start, number: int, code: int) -> None:
    with start("watch", "--db", "other.db") as watch:
        assert watch.stderr is not None
        watch.stderr.readline()
        watch.send_signal(number)
        _, err = watch.communicate(timeout=120)
    assert watch.returncode == code
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"no database at all, but a text" * 50, "is not a database"), (None, "is a folder")],
)
def test_a_broken_database_is_told(
    run: Run, folder: Path, content: bytes | None, message: str
) -> None:
    path = folder / "broken.db"
    path.mkdir() if content is None else path.write_bytes(content)
    for words in ((), ("--once",)):
        assert message in run("watch", "--db", "broken.db", *words, code=2).err


def test_a_misspelt_study_is_told(run: Run, searched: Any) -> None:
    assert "did you mean 'tabular'" in run("watch", "--study", "tabula", code=2).err


def test_it_needs_no_lock_and_writes_nothing(run: Run, searched: Any, folder: Path) -> None:
    before = hashlib.sha256((folder / "archdsl.db").read_bytes()).digest()
    run("watch")
    assert hashlib.sha256((folder / "archdsl.db").read_bytes()).digest() == before
    with closing(sqlite3.connect("archdsl.db", isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        writer.execute("UPDATE trials SET reason = 'never committed'")
        begun = time.monotonic()
        assert run("watch", "--json").json()["over"]
        assert time.monotonic() - begun < 15, "a lock would be waited for 30 s"
        writer.execute("ROLLBACK")


def test_a_search_goes_its_way_while_it_is_watched(
    run: Run, start: Start, tabular: Path, folder: Path
) -> None:
    """The same trials as alone; a watch that hangs holds nothing."""
    alone = run("search", "study.yaml", "--db", "alone.db", "--json").json()
    watches = [start("watch", "--db", "seen.db") for _ in range(3)]
    os.kill(watches[0].pid, signal.SIGSTOP)
    seen = run("search", "study.yaml", "--db", "seen.db", "--json").json()
    assert seen["members"] == alone["members"]
    os.kill(watches[0].pid, signal.SIGCONT)
    for watch in watches:
        watch.communicate(timeout=120)
        assert watch.returncode == 0


def test_drawn_in_place_on_a_terminal(searched: Any, drawn: Callable[..., str]) -> None:
    picture = drawn("watch")
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", picture)
    assert "6/6 trials" in text
    assert "front so far" in text
    assert max(len(each) for each in re.split(r"[\r\n]+", text)) <= 80
    assert picture.count("\x1b[?25l") == picture.count("\x1b[?25h") == 1, "the cursor is back"
    assert "\x1b[2J" not in picture, "never the whole screen"
