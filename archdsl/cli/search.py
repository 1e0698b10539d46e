"""`archdsl search`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import DEFAULT_DB, Db, Debug, Json, Output, Sets
from archdsl.cli.printing import print_json, say
from archdsl.errors import ArchdslError

if TYPE_CHECKING:
    from archdsl.report.front import Front
    from archdsl.runners.profile import RunProfile
    from archdsl.search.read import CheckedStudy

NAME = "search"
EXAMPLE = "Example: archdsl search my-vittm.yaml --objective latency,top1 --data folder:photos"


@handled
def command(
    what: Annotated[
        str | None,
        typer.Argument(metavar="[STUDY|SPEC]", help="A study, or a model to search around."),
    ] = None,
    objective: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Such as latency,top1; the study's own.")
    ] = None,
    runner: Annotated[str, typer.Option(metavar="NAME", help="Run profile.")] = "local",
    trials: Annotated[
        int | None, typer.Option(metavar="N", help="Total budget, earlier runs included.")
    ] = None,
    db: Db = DEFAULT_DB,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Of the sampler.")] = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="digits, npz:FILE, folder:DIR, or a profile's name."),
    ] = None,
    any_device: Annotated[
        bool, typer.Option("--any-device", help="Measure on the device there is, under its name.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Size and cost of the search; trains nothing.")
    ] = False,
    output: Output = None,
    sets: Sets = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Search for the Pareto front. The same command starts, resumes or finds it complete.

    Without a name: the study in this folder if there is one, else its only model, else the embedded
    study of handwritten digits (about three minutes on two cores). With --dry-run, -o writes the
    study as a document to edit; otherwise -o is the folder of the plots.
    """
    from archdsl.cli.search_input import Asked, study_tree
    from archdsl.runners.read import read_profile
    from archdsl.search.read import check_study

    profile = read_profile(runner)
    asked = Asked(
        what=what,
        objectives=objective,
        trials=trials,
        seed=seed,
        data=data,
        sets=sets or [],
        output=output if dry_run else None,
    )
    tree, folder, told = study_tree(asked, profile)
    say(told)
    checked = check_study(tree, folder=folder)
    if dry_run:
        from archdsl.cli.dry_run import dry_run as estimate

        estimate(checked, profile, output=output, as_json=as_json, any_device=any_device)
        return
    front, ran, note = _searched(checked, profile, db, any_device)
    plots = _plots(front, output or Path())
    if as_json:
        from archdsl.cli.front import front_json

        files = [str(path) for path in plots]
        print_json({**front_json(front), "db": db, "plots": files, "ran": ran, "note": note})
        return
    _report(front, plots, db, note)


def _searched(
    checked: CheckedStudy, profile: RunProfile, db: str, any_device: bool
) -> tuple[Front, int, str | None]:
    from archdsl.cli.progress import Progress
    from archdsl.report.front import read_front
    from archdsl.search.run import open_study, run_search, work_left
    from archdsl.store.store import open_store

    study = checked.study
    with open_store(db) as store:
        row = open_study(checked, store)
        if not work_left(study, row, store):
            say(
                f"the budget of '{study.name}' is spent ({study.budget.trials} trials); "
                "raise it with --trials N to go on"
            )
        try:
            with Progress(store=store, row=row, budget=study.budget.trials) as progress:
                done = run_search(
                    checked, store=store, profile=profile, observer=progress, any_device=any_device
                )
        except KeyboardInterrupt:
            counted = store.count(row.id).counted
            raise ArchdslError(
                f"interrupted; {counted} of {study.budget.trials} trials of '{study.name}' are in "
                f"{db}. The same command goes on from there."
            ) from None
        return read_front(store, row), done.ran, done.note


def _plots(front: Front, folder: Path) -> list[Path]:
    """A PNG and an HTML page of the first two objectives; none for a single objective."""
    names = list(front.study.objectives.items())
    if len(names) < 2:
        return []
    from archdsl.report.front import axis, points
    from archdsl.report.front_plot import plot_front, write_png
    from archdsl.report.html import write_html

    (x_name, x_direction), (y_name, y_direction) = names[:2]
    x, y = axis(x_name, x_direction), axis(y_name, y_direction)
    folder.mkdir(parents=True, exist_ok=True)
    safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in front.study.name)[:80]
    png, html = folder / f"{safe}-front.png", folder / f"{safe}-front.html"
    marks = points(front, x_name, y_name)
    title = f"front of {front.study.name}"
    write_png(plot_front(marks, x=x, y=y, title=title, note=front.conditions), png)
    write_html(html, marks, x=x, y=y, title=title, note=front.conditions)
    return [png, html]


def _report(front: Front, plots: list[Path], db: str, note: str | None) -> None:
    from archdsl.cli.front import print_front

    if note:
        say(note)
    print_front(front)
    for path in plots:
        print(f"plot      {path}")
    print(f"database  {db}")
