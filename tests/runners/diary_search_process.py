"""A search whose trainings keep a diary: `diary_search_process.py STUDY DB PROFILE`.

It ends as a command does.
"""

from __future__ import annotations

from typing import Any

import archdsl_diary_toys as toys
import typer

from archdsl.cli.handling import handled
from archdsl.cli.process import prepare
from archdsl.records import Job
from archdsl.runners.read import read_profile
from archdsl.searching import before
from archdsl.searching.read import read_study
from archdsl.searching.run import run_search
from archdsl.store.store import open_store


class Quiet:
    """Watches a search."""

    def on_start(self, job: Job) -> None: ...

    def on_epoch(self, job: Job, epoch: int, name: str, value: float) -> None: ...

    def on_end(self, job: Job, outcome: Any) -> None: ...


def main(study: str, db: str, profile: str) -> None:
    """Search until the budget is spent or somebody ends it."""
    before.make_runner = toys.make_toy_runner
    with open_store(db) as store:
        run_search(read_study(study), store=store, profile=read_profile(profile), observer=Quiet())


if __name__ == "__main__":
    prepare()
    app = typer.Typer()
    app.command()(handled(main))
    app()
