"""`archdsl front`: the Pareto front of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archdsl.cli.handling import handled
from archdsl.cli.options import DEFAULT_DB, Db, Debug, Json, StudyName
from archdsl.cli.printing import millions, print_json, print_table

if TYPE_CHECKING:
    from archdsl.report.front import Front, FrontRow

NAME = "front"
UNSTEADY = "~"
EXAMPLE = "Example: archdsl front --study digits --json"


@handled
def command(
    db: Db = DEFAULT_DB, study: StudyName = None, as_json: Json = False, debug: Debug = False
) -> None:
    """Show the members of a study's Pareto front and what distinguishes each from the base."""
    from archdsl.cli.stores import pick_study
    from archdsl.report.front import read_front
    from archdsl.store.store import open_store

    with open_store(db, create=False, read_only=True) as store:
        front = read_front(store, pick_study(store, study, db=db))
    if as_json:
        print_json(front_json(front))
    else:
        print_front(front)


def print_front(front: Front) -> None:
    """The front as a table, with the device and conditions beneath."""
    objectives = list(front.study.objectives)
    has_test = any(row.test_top1 for row in front.rows)
    columns = ["trial", *(_heading(name) for name in objectives)]
    columns += ["test top1 %"] if has_test else []
    columns += ["params", "difference from the base"]
    rows = []
    for row in front.members:
        cells = [str(row.trial.number), *(_shown(row, name) for name in objectives)]
        if has_test:
            cells.append(f"{row.test_top1.value:.2f}" if row.test_top1 else "")
        rows.append([*cells, millions(row.facts["params"]), _said(row)])
    title = f"front of '{front.study.name}': {len(rows)} of {len(front.rows)} complete trials"
    print_table(columns, rows, title=title)
    base = next((row for row in front.rows if row.base), None)
    if base and not base.member:
        values = ", ".join(_told(base, name) for name in objectives)
        print(f"base (trial {base.trial.number}) is not on the front: {values}")
    if any(not row.steady for row in front.members):
        print(f"{UNSTEADY} not steady: the interval did not close within the time for measuring")
    print(front.conditions)


def front_json(front: Front) -> dict[str, Any]:
    """The front as plain data."""
    return {
        "study": front.study.name,
        "objectives": dict(front.study.objectives),
        "conditions": front.conditions,
        "complete": len(front.rows),
        "members": [_row_json(row) for row in front.members],
    }


def _row_json(row: FrontRow) -> dict[str, Any]:
    return {
        "trial": row.trial.number,
        "arch_id": row.trial.arch_id,
        "base": row.base,
        "difference": row.difference,
        "values": {
            name: {"value": value.value, "low": value.low, "high": value.high}
            for name, value in row.trial.values.items()
        },
        "steady": row.steady,
        "test_top1": row.test_top1.value if row.test_top1 else None,
        "facts": dict(row.facts),
        "params": dict(row.trial.params),
    }


def _heading(name: str) -> str:
    return f"{_title(name)} {_unit(name)}".strip()


def _told(row: FrontRow, name: str) -> str:
    return f"{_title(name)} {_shown(row, name)} {_unit(name)}".strip()


def _title(name: str) -> str:
    return "validation top1" if name == "top1" else name


def _unit(name: str) -> str:
    from archdsl.search.objectives import OBJECTIVES

    return OBJECTIVES[name].unit


def _shown(row: FrontRow, name: str) -> str:
    value = row.trial.values[name]
    mark = UNSTEADY if name == "latency" and not row.steady else ""
    if value.low == value.high:
        return f"{mark}{value.value:.4g}"
    half = (value.high - value.low) / 2
    digits = 2 if value.value >= 10 else 3
    return f"{mark}{value.value:.{digits}f} ±{half:.{digits}f}"


def _said(row: FrontRow) -> str:
    return "the base itself" if row.base else row.difference
