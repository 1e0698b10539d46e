"""The first parts of a report: which networks are on the front, how sure that is, how it grew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, combinations
from typing import Any

from archdsl.analysis.dominance import dominates, losses
from archdsl.analysis.indistinguishable import REASON
from archdsl.metrics import METRICS, as_loss
from archdsl.reporting.formatting import (
    counted,
    format_state,
    format_value,
    heading,
    number,
    title,
    trials_listed,
)
from archdsl.reporting.front import Front, FrontRow, axis, describe_hypervolume, points
from archdsl.reporting.front_table import UNSTEADY, FrontTable
from archdsl.reporting.pages.findings import Findings
from archdsl.reporting.pages.page import STOPS_HINT
from archdsl.reporting.plots.front_picture import front_picture
from archdsl.reporting.plots.growth_plot import Progress, progress_picture
from archdsl.reporting.plots.points import spread, thinned
from archdsl.store.rows import Trial

MOST_FIRST, MOST_OTHER = 1000, 400
"""Points to draw in the picture of the first two objectives, and in each other one."""
MOST_LISTED = 400
"""Members in the table; of more, some all along the front."""
STEPS_HINT = "Point at a mark, touch it or reach it with the Tab key to see when it grew."


def front_section(found: Findings) -> dict[str, Any]:
    """Sentences, a picture of each two objectives, and the table of the members."""
    front = found.front
    goals = front.study.objectives
    return {
        "heading": "The front",
        "sentences": list(_sentences(front)),
        "several": len(goals) if len(goals) > 2 and front.rows else 0,
        "pictures": list(_pictures(front)) if front.rows else [],
        "hint": STOPS_HINT,
        **(_table(found) if front.rows else {"table": None}),
    }


def _sentences(front: Front) -> Iterator[str]:
    total = len(front.rows) + len(front.others)
    states = [f"{len(front.rows):,} complete"]
    states += [f"{count:,} {format_state(state)}" for state, count in front.states.items()]
    yield f"{counted(total, 'trial')}: {', '.join(states)}."
    if not front.rows:
        yield "No trial is complete yet, so there is no front."
        return
    members = front.members
    yield (
        f"{len(members):,} of {counted(len(front.rows), 'complete trial')} "
        f"{'is' if len(members) == 1 else 'are'} on the front: no other trial is at least as good "
        "in everything and better in something."
    )
    yield _certainty(front)
    base = next((row for row in front.rows if row.base), None)
    for name, goal in front.study.objectives.items():
        yield _best(name, goal, members, base)
    if base is not None:
        yield _beaten(front, base)


def _certainty(front: Front) -> str:
    marked = [row for row in front.members if row.indistinguishable]
    if not marked:
        return "Every member can be told apart from all other trials."
    kept = len(front.robust_members)
    return (
        f"{_of_all(len(marked), len(front.members))} cannot be told apart from some other trial: "
        f"{REASON}. {counted(kept, 'trial')} "
        f"{'is' if kept == 1 else 'are'} beaten by none beyond the noise (the robust front)."
    )


def _of_all(some: int, total: int) -> str:
    if some == total:
        return "The only member" if total == 1 else f"All {total:,} members"
    return f"{some:,} of the {total:,} members"


def _best(name: str, goal: str, members: Sequence[FrontRow], base: FrontRow | None) -> str:
    best = min(members, key=lambda row: as_loss(row.trial.values[name].value, goal))
    word = "Lowest" if goal == "minimize" else "Highest"
    text = f"{word} {title(name)}: trial {best.trial.number} with {_value(best.trial, name)}"
    if base is None or best is base:
        return f"{text}{'' if base is None else ', the base itself'}."
    return f"{text}; the base has {_value(base.trial, name)}."


def _value(trial: Trial, name: str) -> str:
    return format_value(name, trial.values[name])


def _beaten(front: Front, base: FrontRow) -> str:
    if base.member:
        return f"The base (trial {base.trial.number}) is on the front itself."
    better = [row.trial.number for row in front.members if _is_better(front, row, base)]
    return (
        f"The base (trial {base.trial.number}) is not on the front: at least as good in everything "
        f"and better in something {'is' if len(better) == 1 else 'are'} "
        f"{trials_listed(better)}."
    )


def _is_better(front: Front, row: FrontRow, base: FrontRow) -> bool:
    mine, theirs = (
        {name: value.value for name, value in each.trial.values.items()} for each in (row, base)
    )
    goals = front.study.objectives
    return dominates(losses(mine, goals), losses(theirs, goals))


def _pictures(front: Front) -> Iterator[dict[str, Any]]:
    goals = dict(front.study.objectives)
    first, *others = goals
    pairs = list(combinations(goals, 2)) if len(goals) <= 3 else [(first, name) for name in others]
    for place, (x, y) in enumerate(pairs):
        rows = thinned(front.rows, most=MOST_OTHER if place else MOST_FIRST)
        left_out = len(front.rows) - len(rows)
        drawn = front_picture(
            points(rows, x, y),
            x=axis(x, goals[x]),
            y=axis(y, goals[y]),
            title=f"{title(y)} against {title(x)}",
            left_out=left_out,
        )
        yield {"drawn": drawn, "left_out": left_out}


def _table(found: Findings) -> dict[str, Any]:
    """Members, and the base where it is none."""
    front = found.front
    members = spread(front.members, most=MOST_LISTED)
    rows = members + [row for row in front.rows if row.base and not row.member]
    cards = {member.row.trial.number for member in found.members}
    table = FrontTable(rows, list(front.study.objectives))
    note = ""
    if len(members) < len(front.members):
        note = f"{len(members):,} of the {len(front.members):,} members, all along the front. "
    if any(not row.steady for row in rows):
        note += f"{UNSTEADY} not steady; the part on how it was measured says why."
    caption = "The front"
    if len(rows) > len(members):
        caption += ", and the base, which is not on it"
    return {
        "table": {
            "caption": caption,
            "headings": table.headings,
            "long": [FrontTable.INDISTINGUISHABLE, FrontTable.DIFFERENCE],
            "rows": [
                {
                    "cells": cells,
                    "kind": "base" if row.base else "member",
                    "link": f"trial-{row.trial.number}" if row.trial.number in cards else "",
                }
                for row, cells in zip(rows, table.cells, strict=True)
            ],
        },
        "note": note,
    }


def progress_section(found: Findings) -> dict[str, Any]:
    """The hypervolume over time; of a single objective, its best value."""
    front = found.front
    single = len(front.study.objectives) == 1
    progress = _best_value(front) if single else _hypervolume(front)
    sentences = ["No trial is complete yet."] if single and progress is None else []
    if not single:
        text = describe_hypervolume(front)
        sentences = [
            "The hypervolume is how much of the space in front of a reference point the front "
            "dominates: it grows whenever the front does.",
            f"{text[:1].upper()}{text[1:]}.",
        ]
    context = {
        "heading": "The best value over time" if single else "Hypervolume over time",
        "sentences": sentences,
        "picture": None,
        "hint": STEPS_HINT,
    }
    if progress is None:
        return context
    return context | {
        "picture": progress_picture(progress, title=f"{progress.heading} over time"),
        "headings": ["trial", "complete trials until then", progress.heading],
        "rows": [
            {"trial": progress.trials[i], "place": i + 1, "value": number(progress.best[i])}
            for i in progress.steps
        ],
    }


def _hypervolume(front: Front) -> Progress | None:
    if front.growth is None or not front.growth.series:
        return None
    unit = "·".join(unit for name in front.growth.reference if (unit := METRICS[name].unit))
    trials, values = zip(*front.growth.series, strict=True)
    label = f"hypervolume ({unit})" if unit else "hypervolume"
    return Progress(heading=label, trials=trials, best=values)


def _best_value(front: Front) -> Progress | None:
    [(name, goal)] = front.study.objectives.items()
    trials = sorted((row.trial for row in front.rows), key=lambda t: t.finish_order or 0)
    if not trials:
        return None
    single = [trial.values[name].value for trial in trials]
    best = list(accumulate(single, min if goal == "minimize" else max))
    numbers = [trial.number for trial in trials]
    return Progress(heading=heading(name), trials=numbers, best=best, single=single)
