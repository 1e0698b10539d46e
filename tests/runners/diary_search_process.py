"""A search whose trainings keep a diary: `diary_search_process.py STUDY DB PROFILE`.

It ends as a command does.
"""

from __future__ import annotations

import archdsl_diary_toys as toys
import typer

from archdsl.cli.handling import handled
from archdsl.cli.process import prepare
from archdsl.runners.read import read_profile
from archdsl.searching import before
from archdsl.searching.read import read_study
from archdsl.searching.run import run_search


def main(study: str, db: str, profile: str) -> None:
    """Search until the budget is spent or somebody ends it."""
    before.make_runner = toys.make_toy_runner
    run_search(read_study(study), db=db, profile=read_profile(profile))


if __name__ == "__main__":
    prepare()
    app = typer.Typer()
    app.command()(handled(main))
    app()
