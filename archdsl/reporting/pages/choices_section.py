"""The parts of a report about choices: set against objectives, and how much each explains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from archdsl.analysis.choices import Choice
from archdsl.analysis.importance import LEAST_TRIALS, Importance, Importances
from archdsl.document.messages import counted, listed
from archdsl.reporting.formatting import heading, number, title
from archdsl.reporting.pages.findings import Findings
from archdsl.reporting.plots.choices_plot import choices_picture, on_front, quartiles, values_of
from archdsl.reporting.plots.points import axes_of

MOST_CHOICES, MOST_ROWS = 30, 160
"""To draw; of more, the most important ones are."""
HEADING = "Choices against objectives"


def choices_section(found: Findings) -> dict[str, Any]:
    """For each option of each choice, where the trials that took it lie."""
    if not found.choices:
        return {"heading": HEADING, "picture": None}
    results = found.results
    axes = axes_of(results.study)
    order = {each.name: place for place, each in enumerate(found.importances.choices)}
    ordered = sorted(found.choices, key=lambda choice: order[choice.name])
    drawn = list(_drawable(ordered))
    members = {row.trial.number for row in results.members}
    base = results.base.trial.values if results.base else {}
    options = counted(sum(len(choice.options) for choice in drawn), "option")
    return {
        "heading": HEADING,
        "drawn": len(drawn),
        "total": len(ordered),
        "picture": choices_picture(
            drawn,
            axes=axes,
            members=members,
            base={name: value.value for name, value in base.items()},
            title=HEADING,
        ),
        "idle": list(_idle(found)),
        "hint": "Point at a row, or touch it, to read its numbers.",
        "headings": [
            *("choice", "option", "trials", "on the front"),
            *(f"{heading(name)}: median (middle half)" for name in axes),
        ],
        "rows": [
            {
                "choice": choice.name,
                "option": option.label,
                "trials": len(option.trials),
                "front": len(on_front(option, members)),
                "middles": [_middle(values_of(option.trials, name)) for name in axes],
            }
            for choice in drawn
            for option in choice.options
        ],
        "caption": f"{HEADING}: {options}",
    }


def _drawable(ordered: Sequence[Choice]) -> Iterator[Choice]:
    lines = 0
    for choice in ordered[:MOST_CHOICES]:
        lines += 1 + len(choice.options)
        if lines > MOST_ROWS:
            return
        yield choice


def _middle(values: Sequence[float]) -> str:
    low, _, high = quartiles(values)
    return f"{number(median(values))} ({number(low)} to {number(high)})"


def importance_section(found: Findings) -> dict[str, Any]:
    """A bar for each choice and objective, and how far to trust them."""
    known, objectives = found.importances, list(found.results.study.objectives)
    rows = [
        {
            "name": each.name,
            "shares": [_share(each, name) for name in objectives],
            "among": f"{counted(each.trials, 'trial')} "
            f"{'with this choice' if each.conditional else ''}".rstrip(),
        }
        for each in known.choices
    ]
    return {
        "heading": "What made the difference",
        "sentences": [*_trust(known), *_idle(found)],
        "headings": ["choice", *(f"share of {title(name)}" for name in objectives), "among"],
        "rows": rows if any(each.shares for each in known.choices) else [],
    }


def _trust(known: Importances) -> Iterator[str]:
    made = counted(known.trials, "complete trial")
    if known.trials < LEAST_TRIALS:
        yield (
            f"{made} made choices; that is too few to say which of them matter. "
            f"It takes at least {LEAST_TRIALS}."
        )
        return
    yield (
        "How much of the variance of each objective a choice explains by itself (functional "
        "ANOVA). What two choices do together is not in it, nor is it a promise about options that "
        "were hardly tried."
    )
    if known.looked_at < known.trials:
        yield (
            f"Estimated from {known.looked_at:,} of {made}, taken at random (seed {known.seed}); "
            "others would move a share by several points."
        )
    if known.rough:
        yield f"Rough: {made} are few for {len(known.choices)} choices."


def _idle(found: Findings) -> Iterator[str]:
    """Which decisions are not counted."""
    if found.idle:
        names = listed([f"{name} ({counted(n, 'trial')})" for name, n in found.idle.items()])
        yield (
            "A trial counts for a choice only where another option would have made another "
            f"network. No effect, and left out: {names}."
        )
    if found.unlooked:
        yield (
            f"In {counted(found.unlooked, 'trial')}, which are too many to look at, "
            "decisions without effect are not told from others."
        )


def _share(each: Importance, objective: str) -> float | str:
    """In percent, or why there is none."""
    if objective in each.shares:
        return 100 * each.shares[objective]
    return "too few trials" if each.trials < LEAST_TRIALS else "does not vary"
