"""`archdsl show`: one architecture or trial, whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import DEFAULT_DB, Db, Debug, Json, StudyName
from archdsl.cli.printing import print_json

if TYPE_CHECKING:
    from archdsl.store.rows import Architecture, Trial
    from archdsl.store.store import Store

NAME = "show"
EXAMPLE = "Example: archdsl show 7   (trial 7), or: archdsl show 482fb4a8   (an arch_id)"
_NUMBER = re.compile(r"[0-9]{1,6}")


@handled
def command(
    what: Annotated[
        str, typer.Argument(metavar="ARCH|TRIAL", help="Number of a trial, or start of an arch_id.")
    ],
    db: Db = DEFAULT_DB,
    study: StudyName = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show an architecture: its document, facts and everything measured on it."""
    from archdsl.document.write import to_yaml
    from archdsl.store.store import open_store

    with open_store(db, create=False, read_only=True) as store:
        architecture, trial = find(store, what, study, db=db)
        measurements = store.measurements(architecture.arch_id)
    if as_json:
        print_json(
            {
                "arch_id": architecture.arch_id,
                "trial": _trial_json(trial) if trial else None,
                "spec": dict(architecture.spec),
                "facts": dict(architecture.facts),
                "measurements": [
                    {**vars(each), "protocol": dict(each.protocol), "detail": dict(each.detail)}
                    for each in measurements
                ],
            }
        )
        return
    print(f"# arch_id {architecture.arch_id}")
    if trial:
        reason = f": {trial.reason}" if trial.reason else ""
        print(f"# trial {trial.number}, {trial.state.value}{reason}")
    for name, value in architecture.facts.items():
        print(f"# {name}: {value:g}" if isinstance(value, float) else f"# {name}: {value}")
    for each in measurements:
        print(f"# {each.quantity}: {each.value:.4g} {each.unit}", end="")
        print(f" (95 % interval {each.low:.4g} to {each.high:.4g})")
    print(to_yaml(dict(architecture.spec)), end="")


def find(
    store: Store, what: str, study: str | None, *, db: str
) -> tuple[Architecture, Trial | None]:
    """The architecture of a trial's number or of the start of an arch_id.

    Raises:
        ArchdslError: nothing of that name.
    """
    from archdsl.cli.stores import pick_study

    if not _NUMBER.fullmatch(what):
        return store.find_architecture(what), None
    trial = store.trial(pick_study(store, study, db=db).id, int(what))
    return store.find_architecture(trial.arch_id), trial


def _trial_json(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state.value,
        "reason": trial.reason,
        "params": dict(trial.params),
        "seconds": trial.seconds,
        "values": {name: vars(value) for name, value in trial.values.items()},
    }
