"""`archdsl search`: the main job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import DEFAULT_DB, Db, Debug, Force, Json, Output, Sets
from archdsl.cli.plots import plot_folder, plot_paths, write_front
from archdsl.cli.printing import print_json, put, say
from archdsl.cli.process import Interruption, behind
from archdsl.cli.search_input import Asked, Found, keep_values_apart, names_in, resolve_study
from archdsl.cli.stores import existing_store
from archdsl.errors import DataError, DeviceError, StudyError
from archdsl.files import refuse_in_use
from archdsl.records import State
from archdsl.runners.profile import RunProfile
from archdsl.runners.read import read_profile
from archdsl.searching.read import CheckedStudy, check_study
from archdsl.store.errors import NoServerError

if TYPE_CHECKING:
    from archdsl.cli.progress import Progress
    from archdsl.reporting.front import StudyResults
    from archdsl.store.store import Store

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
    hours: Annotated[
        float | None,
        typer.Option(metavar="H", help="Time for all of it, earlier runs included."),
    ] = None,
    db: Db = DEFAULT_DB,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Of the sampler.")] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="digits, folder:DIR, csv:FILE, npz:FILE, wds/PATH, hfds/PATH or a profile's name.",
        ),
    ] = None,
    any_device: Annotated[
        bool, typer.Option("--any-device", help="Measure on the device there is, under its name.")
    ] = False,
    retry: Annotated[
        str | None,
        typer.Option(
            metavar="ENDS",
            help="Try again what ended so: failed, out_of_memory, timed_out, crashed; such as "
            "failed,timed_out.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Size and cost of the search; trains nothing.")
    ] = False,
    output: Output = None,
    force: Force = False,
    sets: Sets = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Search for the Pareto front. The same command starts, resumes or finds it complete.

    Without a name: the only study in this folder, else its only model, and in a folder without any
    the embedded study of handwritten digits (about three minutes on two cores). With --dry-run, -o
    writes the study as a document to edit; otherwise -o is the folder of the plots.
    """
    from archdsl.searching.retry import retried_states
    from archdsl.store.location import keep_apart, locate, shown

    again = retried_states(names_in(retry or ""))
    profile = read_profile(runner)
    asked = Asked(
        what=what,
        objectives=objective,
        trials=trials,
        hours=hours,
        seed=seed,
        data=data,
        sets=sets or [],
    )
    found = resolve_study(asked, profile)
    say(found.message)
    checked = check_study(found.tree, folder=found.folder)
    for warning in checked.warnings():
        say(warning)
    keep_apart(locate(db))
    keep_values_apart(checked.study, profile)
    if dry_run and again:
        raise StudyError("a dry run tries nothing again; leave out --retry, or --dry-run")
    if dry_run:
        from archdsl.cli.dry_run import dry_run as estimate
        from archdsl.cli.dry_run import write_document

        if output is not None:
            write_document(checked, folder=found.folder, output=output, force=force)
        with _remedies(checked, found, any_device=any_device):
            estimate(checked, profile, as_json=as_json, any_device=any_device)
        return
    folder = plot_folder(output or Path())
    plots = plot_paths(checked.study.name, checked.study.objectives, folder)
    refuse_in_use(plots)
    with _remedies(checked, found, any_device=any_device):
        front, ran, note = _searched(checked, profile, db, any_device, again)
    db = shown(db)
    if plots:
        write_front(front, plots, published=False)
    if as_json:
        from archdsl.cli.front import front_json

        files = [str(path) for path in plots]
        print_json({**front_json(front), "db": db, "plots": files, "ran": ran, "note": note})
        return
    _report(front, plots, db, note)


@contextmanager
def _remedies(checked: CheckedStudy, found: Found, *, any_device: bool) -> Iterator[None]:
    """Adds to errors of data and devices what to type instead.

    Raises:
        DataError: with the settings that make the study's models fit the data.
        DeviceError: with the option that measures on the device there is; one to train on is
            the run profile's to say.
    """
    try:
        yield
    except DataError as error:
        raise DataError(f"{error}{_to_fit(error, checked, found)}") from None
    except DeviceError as error:
        from archdsl.training.device import TrainingDeviceError

        if isinstance(error, TrainingDeviceError):
            raise
        way_out = ", or measure on the device there is, under its own name, with --any-device"
        asked = hasattr(checked.study.evaluate.of("latency"), "device") and not any_device
        raise DeviceError(f"{error}{way_out if asked else ''}") from None


def _to_fit(error: DataError, checked: CheckedStudy, found: Found) -> str:
    from archdsl.training.data.dataset import MisfitError

    if not isinstance(error, MisfitError):
        return ""
    prefix = "" if found.around else "space."
    sets = " ".join(f"--set {prefix}{word}={value}" for word, value in error.needed.items())
    if found.around:
        return f"\nto search this model on these data, add: {sets}"
    bases = ", ".join(sorted({tree.origin.source for tree in checked.space.bases.values()}))
    document = f"the document is the study's base, {bases}; " if bases else ""
    return f"\n{document}to set these words for all models of the study, add: {sets}"


def _searched(
    checked: CheckedStudy,
    profile: RunProfile,
    db: str,
    any_device: bool,
    retry: Sequence[State],
) -> tuple[StudyResults, int, str | None]:
    from archdsl.reporting.front import read_front
    from archdsl.searching.run import run_search
    from archdsl.store.location import locate

    watch = _Watch(checked, retry)
    # A link that is moved meanwhile leads to another database; what was searched is shown.
    held = str(locate(db).path or db)
    try:
        done = run_search(
            checked, db=held, profile=profile, observe=watch, any_device=any_device, retry=retry
        )
        if (called := _called(db, held)) != db:
            say(f"{db} leads to another database by now; what was searched is in {called}")
        with existing_store(held, read_only=False) as store:
            return read_front(store, done.row), done.ran, done.note
    except KeyboardInterrupt as interrupt:
        said = _interrupted(checked, _called(db, held))
        raise Interruption(said, number=behind(interrupt).number) from None
    except NoServerError as error:
        if not watch.has_store:
            raise
        going_on = "what is finished is stored there; the same command goes on from it"
        raise NoServerError(f"{error}\n{going_on}") from None


class _Watch:
    """Shows how the search of a study gets on."""

    def __init__(self, checked: CheckedStudy, retry: Sequence[State]) -> None:
        self._checked, self._retry = checked, retry
        self.has_store = False

    def __call__(self, store: Store | None) -> AbstractContextManager[Progress | None]:
        from archdsl.cli.progress import Progress, starting
        from archdsl.searching.run import begun, work_left

        study = self._checked.study
        if store is None:
            return starting(study.name)
        self.has_store = True
        row = begun(self._checked, store)
        if row and not self._retry and not work_left(study, row, store):
            say(
                f"the budget of '{study.name}' is spent ({study.budget}); "
                "raise it with --trials N or --hours H to go on"
            )
        return Progress(store=store, study=study.name)


def _called(db: str, held: str) -> str:
    """What to call the database that was searched: as it was said, where that still leads to it."""
    from archdsl.store.location import locate

    return db if str(locate(db).path or db) == held else held


def _interrupted(checked: CheckedStudy, db: str) -> str:
    from archdsl.searching.run import begun
    from archdsl.store.location import is_new_file, shown
    from archdsl.store.store import open_store

    name = checked.study.name
    if is_new_file(db):
        return _nothing_stored(name)
    with open_store(db) as store:
        row = begun(checked, store)
        if row is None:
            return _nothing_stored(name)
        count, trials = store.trials.count(row.id), checked.study.budget.trials
    of_budget = "" if trials is None else f"of {trials} "
    return (
        f"interrupted; {count.done} {of_budget}trials of '{name}' are "
        f"finished and stored in {shown(db)}\nthe same command goes on from there"
    )


def _nothing_stored(name: str) -> str:
    return f"interrupted before the first trial of '{name}'; nothing was stored"


def _report(front: StudyResults, plots: list[Path], db: str, note: str | None) -> None:
    from archdsl.cli.front import print_front

    if note:
        say(note)
    print_front(front)
    for path in plots:
        put(f"plot      {path}")
    put(f"database  {db}")
