"""Kills searches at statements of SQL: `crash_process.py STUDY FOLDER PART OF`.

The study is searched once undisturbed. Then, for every `OF`th statement from `PART` on, a fresh
database is searched by a process that kills itself there, and once more by one that does not.
Every search is a process of its own, forked from this one, which has all imports behind it and no
database open. Where a kill leaves a database that an earlier one has left already, row for row,
the second search would do what it did then, and is not run again. Prints, as JSON, how many places
there were and what went wrong where.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy import Engine, event

from archdsl.records import Job, Outcome
from archdsl.runners.read import read_profile
from archdsl.searching.read import CheckedStudy, read_study
from archdsl.searching.run import run_search, watched_by

PLACES = ("before_cursor_execute", "commit")
"""Before every statement, so also after every commit; and before every commit."""
CLOCKS = {"created", "started", "finished", "seconds"}
OWNERS = {"host", "boot_id", "pid", "process_start", "token", "claimed_at"}
"""Columns of claims that differ from one process to the next."""

Tables = dict[str, list[tuple[Any, ...]]]


class Diary:
    """Writes down each evaluation that begins, so that it outlives the process."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def on_start(self, job: Job) -> None:
        os.write(self._file, f"{job.number}\n".encode())

    def on_epoch(self, job: Job, epoch: int, name: str, value: float) -> None: ...

    def on_end(self, job: Job, outcome: Outcome) -> None: ...


def diary(db: Path) -> Path:
    return db.with_name("diary")


def search(checked: CheckedStudy, db: Path) -> None:
    """What `archdsl search` does between reading the study and drawing the front."""
    run_search(
        checked,
        db=str(db),
        profile=read_profile("local"),
        observe=watched_by(Diary(diary(db))),
    )


def forked(work: Callable[[], None]) -> int:
    """The exit status of a process that does some work; below 0, the signal that ended it."""
    pid = os.fork()
    if not pid:
        _work_and_exit(work)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _work_and_exit(work: Callable[[], None]) -> NoReturn:
    try:
        work()
        os._exit(0)
    except BaseException as error:
        print(type(error).__name__, error, file=sys.stderr, flush=True)
        os._exit(1)


def at_each_place(act: Callable[[], None]) -> None:
    for place in PLACES:
        event.listen(Engine, place, lambda *seen: act())


def count_places(checked: CheckedStudy, db: Path) -> int:
    """Search undisturbed; how many places there are to be killed at."""
    seen, written = 0, db.with_name("count")

    def one_more() -> None:
        nonlocal seen
        seen += 1

    def work() -> None:
        at_each_place(one_more)
        search(checked, db)
        written.write_text(str(seen))

    assert forked(work) == 0
    return int(written.read_text())


def killed(checked: CheckedStudy, db: Path, *, place: int) -> int:
    left = place

    def count_down() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        at_each_place(count_down)
        search(checked, db)

    return forked(work)


def tables(db: Path) -> Tables:
    """Every row of every table, without clocks and owners."""
    with tempfile.TemporaryDirectory(dir=db.parent) as name:
        # To open a database mends it, and that is for the next search to do.
        for file in files(db):
            shutil.copy(file, name)
        if not Path(name, db.name).exists():
            return {}
        connection = sqlite3.connect(Path(name, db.name))
        found = {"health": connection.execute("PRAGMA integrity_check").fetchall()}
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            kept = ", ".join(f'"{each}"' for each in columns if each not in CLOCKS | OWNERS)
            rows = connection.execute(f"SELECT {kept} FROM {table}")
            found[table] = sorted(rows, key=repr)
        connection.close()
    return found


def files(db: Path) -> list[Path]:
    return [file for end in ("", "-wal") if (file := Path(f"{db}{end}")).exists()]


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What the search after a kill came to: its own failure, and the evaluations it began."""

    failure: str | None
    begun: list[str]


def ending(checked: CheckedStudy, db: Path, *, expected: Tables) -> Ending:
    diary(db).write_text("")
    status = forked(lambda: search(checked, db))
    begun = diary(db).read_text().split()
    if status:
        return Ending(failure=f"the second search ended with {status}", begun=begun)
    found = tables(db)
    different = [name for name in expected if found.get(name) != expected[name]]
    failure = f"other rows in {different}" if different else None
    return Ending(failure=failure, begun=begun)


def failures(checked: CheckedStudy, db: Path, *, places: range, expected: Tables) -> dict[int, str]:
    """Place to what goes wrong when a search is killed there."""
    endings: dict[str, Ending] = {}
    wrong = {}
    for place in places:
        for old in (*db.parent.glob(f"{db.name}*"), diary(db)):
            old.unlink(missing_ok=True)
        if killed(checked, db, place=place) != -signal.SIGKILL:
            wrong[place] = "was not killed"
            continue
        begun = diary(db).read_text().split() if diary(db).exists() else []
        left = repr(tables(db))
        if left not in endings:
            endings[left] = ending(checked, db, expected=expected)
        begun = begun + endings[left].begun
        repeated = len(begun) - len(set(begun))
        if endings[left].failure or repeated > 1:
            wrong[place] = endings[left].failure or f"{repeated} evaluations repeated: {begun}"
    return wrong


def main(study: str, folder: str, part: str, of: str) -> None:
    checked, undisturbed = read_study(study), Path(folder, "undisturbed.db")
    places = count_places(checked, undisturbed)
    expected = tables(undisturbed)
    search(checked, Path(folder, "warm.db"))  # brings in what is imported late
    gc.freeze()  # so that forks share this memory
    wrong = failures(
        checked,
        Path(folder, "killed.db"),
        places=range(int(part), places, int(of)),
        expected=expected,
    )
    rows = {name: len(rows) for name, rows in expected.items()}
    print(json.dumps({"places": places, "rows": rows, "failures": wrong}))


if __name__ == "__main__":
    main(*sys.argv[1:])
