"""The part of a report that says which choices made the difference."""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.analysis.importance import LEAST_TRIALS, Importance, Importances
from archdsl.reporting.markup import paragraph, section, table, text
from archdsl.reporting.pages.findings import Findings
from archdsl.reporting.wording import counted, title

HEADING = "What made the difference"


def importance_section(found: Findings) -> str:
    """Bars for each choice and objective, and how far to trust them."""
    known = found.importances
    parts = [paragraph(words) for words in _told(known)]
    if any(each.shares for each in known.choices):
        parts.append(_table(known, list(found.front.study.objectives)))
    return section("importance", HEADING, "\n".join(parts))


def _told(known: Importances) -> Iterator[str]:
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


def _table(known: Importances, objectives: list[str]) -> str:
    heads = ["choice", *(f"share of {title(name)}" for name in objectives), "among"]
    rows = []
    for each in known.choices:
        cells = [f"<div>{text(each.name)}</div>", *(_bar(each, name) for name in objectives)]
        kind = "with this choice" if each.conditional else ""
        rows.append([*cells, f"{counted(each.trials, 'trial')} {kind}".rstrip()])
    return table(heads, rows, caption="Share of the variance that each choice explains by itself")


def _bar(each: Importance, objective: str) -> str:
    if objective not in each.shares:
        few = each.trials < LEAST_TRIALS
        return "too few trials" if few else "does not vary"
    percent = 100 * each.shares[objective]
    bar = f'<span class="bar" style="width:{percent:.1f}%"></span>'
    return f'<span class="share">{percent:.1f} %</span><span class="track">{bar}</span>'
