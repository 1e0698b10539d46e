"""The first parts of a report: which networks are on the front, how sure that is, how it grew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, combinations
from typing import Any

from archdsl.analysis.dominance import dominates
from archdsl.analysis.indistinguishable import REASON
from archdsl.document.messages import counted
from archdsl.reporting.formatting import (
    format_state,
    format_value,
    heading,
    number,
    title,
    trials_listed,
)
from archdsl.reporting.front import (
    CompleteTrial,
    StudyResults,
    describe_baseline,
    describe_hypervolume,
    hypervolume_unit,
)
from archdsl.reporting.front_table import UNSTEADY, UNUSED, FrontTable, page_table
from archdsl.reporting.pages.findings import Findings
from archdsl.reporting.pages.page import STOPS_HINT
from archdsl.reporting.plots.front_picture import front_picture
from archdsl.reporting.plots.growth_plot import Progress, progress_picture
from archdsl.reporting.plots.points import Axis, axes_of, spread, thinned

MOST_FIRST, MOST_OTHER = 1000, 400
"""Points to draw in the picture of the first two objectives, and in each other one."""
MOST_LISTED = 400
"""Members in the table; of more, some all along the front."""
STEPS_HINT = "Point at a mark, touch it or reach it with the Tab key to see when it grew."


def front_section(found: Findings) -> dict[str, Any]:
    """Sentences, a picture of each two objectives, and the table of the members."""
    results = found.results
    goals = results.study.objectives
    return {
        "heading": "The front",
        "sentences": list(_sentences(results)),
        "several": len(goals) if len(goals) > 2 and results.rows else 0,
        "pictures": list(_pictures(results)) if results.rows else [],
        "hint": STOPS_HINT,
        **(_table(found) if results.rows else {"table": None}),
    }


def _sentences(results: StudyResults) -> Iterator[str]:
    total = len(results.rows) + len(results.others)
    states = [f"{len(results.rows):,} complete"]
    states += [f"{count:,} {format_state(state)}" for state, count in results.states.items()]
    yield f"{counted(total, 'trial')}: {', '.join(states)}."
    if not results.rows:
        yield "No trial is complete yet, so there is no front."
        return
    members = results.members
    yield (
        f"{len(members):,} of {counted(len(results.rows), 'complete trial')} "
        f"{'is' if len(members) == 1 else 'are'} on the front: no other trial is at least as good "
        "in everything and better in something."
    )
    yield _certainty(results)
    if results.intervals:
        yield f"{results.intervals[:1].upper()}{results.intervals[1:]}."
    for axis in axes_of(results.study).values():
        yield _best(axis, members, results.base)
    if results.base is not None:
        yield _beaten(results, results.base)
    for baseline in results.baselines:
        told = describe_baseline(results, baseline)
        yield f"{told[:1].upper()}{told[1:]}."


def _certainty(results: StudyResults) -> str:
    marked = [row for row in results.members if row.indistinguishable]
    if not marked:
        return "Every member can be told apart from all other trials."
    kept = len(results.robust_members)
    return (
        f"{_of_all(len(marked), len(results.members))} cannot be told apart from some other trial: "
        f"{REASON}. {counted(kept, 'trial')} "
        f"{'is' if kept == 1 else 'are'} beaten by none beyond the noise (the robust front)."
    )


def _of_all(some: int, total: int) -> str:
    if some == total:
        return "The only member" if total == 1 else f"All {total:,} members"
    return f"{some:,} of the {total:,} members"


def _best(axis: Axis, members: Sequence[CompleteTrial], base: CompleteTrial | None) -> str:
    name = axis.objective
    best = min(members, key=axis.loss)
    word = "Lowest" if axis.minimize else "Highest"
    value = format_value(name, best.trial.values[name], best.over.get(name, ""))
    text = f"{word} {title(name)}: trial {best.trial.number} with {value}"
    if base is None or best is base:
        return f"{text}{'' if base is None else ', the base itself'}."
    shown = format_value(name, base.trial.values[name], base.over.get(name, ""))
    return f"{text}; the base has {shown}."


def _beaten(results: StudyResults, base: CompleteTrial) -> str:
    if base.member:
        return f"The base (trial {base.trial.number}) is on the front itself."
    axes = axes_of(results.study).values()
    losses = {row.trial.number: [axis.loss(row) for axis in axes] for row in results.members}
    lost = [axis.loss(base) for axis in axes]
    better = [number for number, mine in losses.items() if dominates(mine, lost)]
    return (
        f"The base (trial {base.trial.number}) is not on the front: at least as good in everything "
        f"and better in something {'is' if len(better) == 1 else 'are'} "
        f"{trials_listed(better)}."
    )


def _pictures(results: StudyResults) -> Iterator[dict[str, Any]]:
    axes = list(axes_of(results.study).values())
    pairs = combinations(axes, 2) if len(axes) <= 3 else ((axes[0], other) for other in axes[1:])
    for place, (x, y) in enumerate(pairs):
        rows = thinned(results.rows, most=MOST_OTHER if place else MOST_FIRST)
        left_out = len(results.rows) - len(rows)
        heading = f"{title(y.objective)} against {title(x.objective)}"
        drawn = front_picture(
            rows, x=x, y=y, title=heading, left_out=left_out, baselines=results.baselines
        )
        yield {"drawn": drawn, "left_out": left_out}


def _table(found: Findings) -> dict[str, Any]:
    """Members, and the base where it is none."""
    results = found.results
    members = spread(results.members, most=MOST_LISTED)
    rows = members + [row for row in results.rows if row.base and not row.member]
    note = ""
    if len(members) < len(results.members):
        note = f"{len(members):,} of the {len(results.members):,} members, all along the front. "
    if any(not row.steady for row in rows):
        note += f"{UNSTEADY} not steady; the part on how it was measured says why."
    if any(row.unused for row in rows):
        note += f" {UNUSED} part of it has no influence on the prediction; its card says which."
    caption = "The front"
    if len(rows) > len(members):
        caption += ", and the base, which is not on it"
    columns = FrontTable(rows, list(results.study.objectives)).columns
    cards = {member.row.trial.number for member in found.members}
    values = (value for row in rows for value in row.trial.values.values())
    tests = (test for row in rows for test in row.tests.values())
    return {
        "table": page_table(rows, columns, caption=caption, cards=cards),
        "intervals": any(value.low != value.high for value in values)
        or any(test.low != test.high for test in tests),
        "note": note,
    }


def progress_section(found: Findings) -> dict[str, Any]:
    """The hypervolume over time; of a single objective, its best value."""
    results = found.results
    single = len(results.study.objectives) == 1
    progress = _best_value(results) if single else _hypervolume(results)
    sentences = ["No trial is complete yet."] if single and progress is None else []
    if not single:
        text = describe_hypervolume(results)
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


def _hypervolume(results: StudyResults) -> Progress | None:
    if results.growth is None or not results.growth.series:
        return None
    unit = hypervolume_unit(results.growth)
    trials, values = zip(*results.growth.series, strict=True)
    label = f"hypervolume ({unit})" if unit else "hypervolume"
    return Progress(heading=label, trials=trials, best=values)


def _best_value(results: StudyResults) -> Progress | None:
    [(name, goal)] = results.study.objectives.items()
    trials = sorted((row.trial for row in results.rows), key=lambda t: t.finish_order or 0)
    if not trials:
        return None
    single = [trial.values[name].value for trial in trials]
    best = list(accumulate(single, min if goal == "minimize" else max))
    numbers = [trial.number for trial in trials]
    return Progress(heading=heading(name), trials=numbers, best=best, single=single)
