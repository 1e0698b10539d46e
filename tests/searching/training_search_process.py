"""A search with trainings that kills itself: `training_search_process.py STUDY DB EPOCHS SECONDS`.

It does so SECONDS after the EPOCHSth epoch that no run before has reported; with EPOCHS 0, never.
Every report is written down in `DB.diary` as `run trial epoch top1 time`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from archdsl.records import Job, Outcome
from archdsl.runners.read import read_profile
from archdsl.searching.read import read_study
from archdsl.searching.run import run_search, watched_by


class Killer:
    """Writes the diary, and ends the process in time."""

    def __init__(self, diary: Path, *, epochs: int, seconds: float) -> None:
        lines = diary.read_text().splitlines() if diary.exists() else []
        self._seen = {tuple(line.split()[1:3]) for line in lines}
        self._run = len({line.split()[0] for line in lines})
        self._file = diary.open("a", buffering=1)
        self._left, self._seconds = epochs, seconds

    def on_start(self, job: Job) -> None: ...

    def on_epoch(self, job: Job, epoch: int, name: str, value: float) -> None:
        print(self._run, job.number, epoch, value, time.monotonic(), file=self._file)
        if (str(job.number), str(epoch)) not in self._seen:
            self._left -= 1
            if self._left == 0:
                threading.Timer(self._seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()

    def on_end(self, job: Job, outcome: Outcome) -> None: ...


def main(study: str, db: str, epochs: str, seconds: str) -> None:
    killer = Killer(Path(f"{db}.diary"), epochs=int(epochs), seconds=float(seconds))
    run_search(
        read_study(study),
        db=db,
        profile=read_profile("local", ["training.device=cpu", f"storage={db}-files"]),
        observe=watched_by(killer),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
