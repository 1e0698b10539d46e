"""`archdsl studies`: the studies of a store, listed, deleted, renamed, copied."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.cli.arguments import OnceCommand, OnceGroup
from archdsl.cli.handling import handled
from archdsl.cli.options import DEFAULT_DB, Db, Debug, Json
from archdsl.cli.printing import print_json, print_table, put, say
from archdsl.cli.stores import existing_store, opened_study
from archdsl.document.messages import counted
from archdsl.errors import ArchdslError

if TYPE_CHECKING:
    from archdsl.store.rows import DeletedStudy, StudyRow, StudySnapshot
    from archdsl.store.store import Store

EXAMPLE = "Example: archdsl studies --db archdsl.db"

LONGEST_NAME = 200

Name = Annotated[str, typer.Argument(metavar="NAME", help="A study in the store.")]

app = typer.Typer(
    name="studies",
    cls=OnceGroup,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog=EXAMPLE,
)


@app.callback(invoke_without_command=True)
@handled
def list_studies(
    context: typer.Context, db: Db = DEFAULT_DB, as_json: Json = False, debug: Debug = False
) -> None:
    """List the studies of a store; delete, rename or copy one.

    The state is `running` while a process works on it, `complete` once its budget or its space is
    spent, else `unfinished`: the same `archdsl search` goes on with it.
    """
    if context.invoked_subcommand:
        if db != DEFAULT_DB or as_json:
            word = context.invoked_subcommand
            raise ArchdslError(f"options stand behind the word: archdsl studies {word} … --db …")
        return
    with existing_store(db) as store:
        listed = [_summary(store, study) for study in store.studies.all()]
    if as_json:
        print_json({"studies": listed})
        return
    if not listed:
        from archdsl.store.location import shown

        say(f"{shown(db)} holds no study yet; `archdsl search` starts one")
        return
    columns = ("study", "state", "trials", "front", "last change", "database")
    print_table(columns, [_cells(each) for each in listed])


@app.command("delete", cls=OnceCommand, epilog="Example: archdsl studies delete digits --yes")
@handled
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    weights: Annotated[
        bool,
        typer.Option("--weights", help="Remove the weights of the architectures that go, too."),
    ] = False,
    db: Db = DEFAULT_DB,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Delete a study with all its trials.

    An architecture goes along, with all that was measured of it, where no trial of another study
    in this database is of it. Trained weights stay where they are unless --weights is given, which
    removes what lies in the database's folder and no other database there stands on. What a study
    was copied with is the original's; of weights elsewhere it is asked, and with --yes they are
    left and named. Refused while a search works on it.
    """
    with opened_study(db, name, read_only=False) as (store, study):
        if not yes and not _agreed(store, study):
            say("nothing was deleted")
            return
        gone = store.studies.delete(name)
        database = store.database.location.path
    removed, left = _remove_weights(gone, database, ask=not yes) if weights else ([], {})
    measurements = sum(map(len, gone.measured.values()))
    if as_json:
        print_json(
            {
                "study": name,
                "trials": gone.trials,
                "architectures": len(gone.measured),
                "measurements": measurements,
                "weights": removed,
                "weights_left": [{"path": path, "why": left[path]} for path in left],
            }
        )
        return
    files = f", and {counted(len(removed), 'file')} of weights" if weights else ""
    trials, measured = counted(gone.trials, "trial"), counted(len(gone.measured), "architecture")
    put(f"deleted {name}: {trials}, {measured}, {counted(measurements, 'measurement')}{files}")
    for why in dict.fromkeys(left.values()):
        paths = " ".join(shlex.quote(path) for path in left if left[path] == why)
        put(f"left weights {why}; once nothing needs them: rm -r {paths}")


@app.command(
    "rename", cls=OnceCommand, epilog="Example: archdsl studies rename digits digits-first"
)
@handled
def rename(
    name: Name,
    new: Annotated[str, typer.Argument(metavar="NEW", help="What it is called from now on.")],
    db: Db = DEFAULT_DB,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Give a study another name in the store.

    The YAML document keeps the old name: change it there, too, or search with --set name=NEW,
    else the next search begins a new study. Refused while a search works on it.
    """
    if not 1 <= len(new) <= LONGEST_NAME:
        raise ArchdslError(f"a study's name has 1 to {LONGEST_NAME} characters, not {len(new)}")
    with opened_study(db, name, read_only=False) as (store, _):
        renamed = store.studies.rename(name, new)
    if as_json:
        print_json({"study": new, "before": name, "digest": renamed.digest})
    else:
        put(f"{name} is called {new} now")
    say(
        f"its YAML document still says {name}: change it there, or search with "
        f"--set {shlex.quote(f'name={new}')}"
    )


@app.command(
    "copy",
    cls=OnceCommand,
    epilog="Example: archdsl studies copy digits --to postgresql://me@host/runs",
)
@handled
def copy(
    name: Name,
    to: Annotated[
        str, typer.Option("--to", metavar="URL", help="An SQLite file, or postgresql://…")
    ],
    db: Db = DEFAULT_DB,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Copy a study into another database, which is made where there is none.

    With its trials, values, epochs, samples, architectures and measurements. Trained weights stay
    where they are, and stay the original's: both databases stand on them, and to delete the copy
    leaves them. Refused while a search works on it, where the other
    database has a study of this name, or holds another value measured under the same conditions.
    """
    from archdsl.store.copying import check_copy, copy_study
    from archdsl.store.location import shown
    from archdsl.store.store import open_store

    with opened_study(db, name) as (store, _):
        check_copy(name, source=store.database)
        with open_store(to) as other:
            trials = copy_study(name, source=store.database, target=other.database)
    if as_json:
        print_json({"study": name, "to": shown(to), "trials": trials})
    else:
        put(f"copied {name} with {counted(trials, 'trial')} to {shown(to)}")
    say("trained weights stay where they are, and are shared: to delete the copy leaves them")


def _summary(store: Store, study: StudyRow) -> dict[str, Any]:
    now = store.snapshots.take(study.id)
    return {
        "study": study.name,
        "state": _state(now),
        "trials": now.done,
        "budget": study.budget,
        "front": len(store.trials.front(study.id)),
        "last_change": now.last_change,
        "database": store.place,
    }


def _state(now: StudySnapshot) -> str:
    if now.searched:
        return "running"
    return "complete" if now.over else "unfinished"


def _cells(study: dict[str, Any]) -> list[str]:
    budget = "" if study["budget"] is None else f"/{study['budget']}"
    changed = (study["last_change"] or "–").replace("T", " ").partition(".")[0]
    trials = f"{study['trials']}{budget}"
    return [
        study["study"], study["state"], trials, str(study["front"]), changed, study["database"]
    ]  # fmt: skip


def _agreed(store: Store, study: StudyRow) -> bool:
    if not sys.stdin.isatty():
        raise ArchdslError(
            f"deleting '{study.name}' asks first, and there is no terminal to answer at: say --yes"
        )
    trials = store.trials.size(study.id).rows
    question = f"delete '{study.name}' with its {counted(trials, 'trial')} from {store.place}?"
    return typer.confirm(question, err=True)


def _remove_weights(
    gone: DeletedStudy, database: Path | None, *, ask: bool
) -> tuple[list[str], dict[str, str]]:
    """Remove what trainings left, as far as it is the database's own.

    Returns:
        The files that were removed; each folder that was left, and why.
    """
    from archdsl.training.removal import left_trainings, remove_training

    found = left_trainings(gone.measured, database=database)
    own, outside = dict(found.own), found.outside
    left = {place: f"that {other} stands on" for place, other in found.others.items()}
    if outside and ask and _agreed_outside(outside):
        own |= outside
    else:
        left |= dict.fromkeys(outside, "outside of the database's folder")
    removed: list[str] = []
    for place, seeds in own.items():
        try:
            removed += remove_training(place, seeds)
        except OSError as error:
            left[place] = f"that cannot be removed ({error.strerror})"
    return removed, left


def _agreed_outside(outside: Iterable[str]) -> bool:
    folders = ", ".join(dict.fromkeys(str(Path(place).parent) for place in outside))
    question = (
        f"weights of the study lie outside of the database's folder, in {folders}: another "
        "database may stand on them; remove them, too?"
    )
    return typer.confirm(question, err=True)
