"""Searches one study with many processes at once.

`many_searches_process.py STUDY DB PROCESSES KILLED`. The processes are forked from this one, so
that they begin within milliseconds of each other. The first KILLED of them are killed, one after
the other, while they work. Prints, as JSON, the exit status of each; what one had to say goes to
standard error.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import NoReturn

from archdsl.runners.read import read_profile
from archdsl.searching.read import CheckedStudy, read_study
from archdsl.searching.run import run_search

SECONDS_BETWEEN_KILLS = 0.1


def search_and_exit(checked: CheckedStudy, db: str) -> NoReturn:
    try:
        run_search(checked, db=db, profile=read_profile("local"))
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)


def main(study: str, db: str, processes: str, killed: str) -> None:
    checked = read_study(study)
    started = []
    for _ in range(int(processes)):
        pid = os.fork()
        if not pid:
            search_and_exit(checked, db)
        started.append(pid)
    for pid in started[: int(killed)]:
        time.sleep(SECONDS_BETWEEN_KILLS)
        os.kill(pid, signal.SIGKILL)
    ended = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in started]
    print(json.dumps(ended))


if __name__ == "__main__":
    main(*sys.argv[1:])
