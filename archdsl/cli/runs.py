"""`archdsl runs`: the trainings of a store that no study made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archdsl.cli.handling import handled
from archdsl.cli.options import DEFAULT_DB, Db, Debug, Json
from archdsl.cli.printing import print_json, print_table, say
from archdsl.cli.stores import existing_store

if TYPE_CHECKING:
    from archdsl.store.rows import Run

EXAMPLE = "Example: archdsl runs --db archdsl.db"


@handled
def command(db: Db = DEFAULT_DB, as_json: Json = False, debug: Debug = False) -> None:
    """List the trainings of a store that `archdsl train --db` made."""
    with existing_store(db) as store:
        found = store.runs.all()
    if as_json:
        print_json({"runs": [_record(each) for each in found]})
        return
    if not found:
        say("the store holds no training yet; `archdsl train --db` keeps one")
        return
    columns = ["run", "network", "data", "epochs", "seed", "top1", "from", "finished", "folder"]
    print_table(columns, [_cells(each) for each in found])


def _record(run: Run) -> dict[str, Any]:
    return vars(run) | {"protocol": dict(run.protocol), "detail": dict(run.detail)}


def _cells(run: Run) -> list[str]:
    protocol, detail = run.protocol, run.detail
    return [
        str(run.id),
        f"{detail['name']} ({run.arch_id})",
        detail["source"],
        str(protocol["recipe"]["epochs"]),
        str(protocol["seeds"][0]),
        f"{detail['scores']['top1']:.2f} %",
        f"run {run.parent_id}" if run.parent_id else "",
        run.created[:16],
        run.place,
    ]
