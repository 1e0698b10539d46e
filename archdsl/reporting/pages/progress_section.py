"""The part of a report that says how the search got on over time."""

from __future__ import annotations

from itertools import accumulate

from archdsl.objectives import OBJECTIVES
from archdsl.reporting.front import Front, hypervolume_words
from archdsl.reporting.markup import figure, folded, paragraph, section, table
from archdsl.reporting.pages.findings import Findings
from archdsl.reporting.plots.growth_plot import Progress, progress_picture
from archdsl.reporting.text import number
from archdsl.reporting.wording import heading

HINT = "Point at a mark, touch it or reach it with the Tab key to see when it grew."
UNFINISHED = "No trial is complete yet."


def progress_section(found: Findings) -> str:
    """The hypervolume over time; of a single objective, its best value."""
    front = found.front
    if len(front.study.objectives) == 1:
        return section("progress", "The best value over time", _best(front))
    return section("progress", "Hypervolume over time", _hypervolume(front))


def _hypervolume(front: Front) -> str:
    words = hypervolume_words(front)
    parts = [
        paragraph(
            "The hypervolume is how much of the space in front of a reference point the front "
            "dominates: it grows whenever the front does."
        ),
        paragraph(f"{words[:1].upper()}{words[1:]}."),
    ]
    if front.growth is not None and front.growth.series:
        unit = "·".join(unit for name in front.growth.reference if (unit := OBJECTIVES[name].unit))
        trials, values = zip(*front.growth.series, strict=True)
        label = f"hypervolume ({unit})" if unit else "hypervolume"
        parts.append(_shown(Progress(heading=label, trials=trials, best=values)))
    return "\n".join(parts)


def _best(front: Front) -> str:
    [(name, goal)] = front.study.objectives.items()
    trials = sorted((row.trial for row in front.rows), key=lambda t: t.finish_order or 0)
    if not trials:
        return paragraph(UNFINISHED)
    single = [trial.values[name].value for trial in trials]
    best = list(accumulate(single, min if goal == "minimize" else max))
    numbers = [trial.number for trial in trials]
    return _shown(Progress(heading=heading(name), trials=numbers, best=best, single=single))


def _shown(progress: Progress) -> str:
    rows = [(str(progress.trials[i]), str(i + 1), number(progress.best[i])) for i in progress.steps]
    heads = ("trial", "complete trials until then", progress.heading)
    return figure(
        progress_picture(progress, title=f"{progress.heading} over time"), hint=HINT
    ) + folded("The same as a table", table(heads, rows, caption="When it grew"))
