"""The part of a report about trials that are not complete: how they ended, and why."""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.records import State
from archdsl.reporting.markup import boxed, paragraph, section, table
from archdsl.reporting.pages.findings import Findings
from archdsl.reporting.wording import alike_but_for_numbers, counted, listed, state_words
from archdsl.store.rows import Trial

HEADING = "Trials that are not complete"
MOST_REASONS = 40
"""Of one state."""
UNKNOWN = "no reason was noted"


def endings_section(found: Findings) -> str:
    """For each state its reasons; those that differ in numbers only are one."""
    front = found.front
    if not front.others:
        body = paragraph("All trials are complete." if front.rows else "There are no trials yet.")
        return section("endings", HEADING, body)
    by_state = {state: [t for t in front.others if t.state is state] for state in front.states}
    parts = [
        paragraph(
            "Reasons that differ in numbers only are counted together; the first one is shown."
        )
    ]
    parts += [_state(state, trials) for state, trials in by_state.items()]
    return section("endings", HEADING, "\n".join(parts))


def _state(state: State, trials: Sequence[Trial]) -> str:
    words = f"{counted(len(trials), 'trial')} {state_words(state)}"
    if state is State.RUNNING:
        return paragraph(f"{words}: {listed([trial.number for trial in trials])}.")
    reasons = [trial.reason or UNKNOWN for trial in trials]
    groups = sorted(alike_but_for_numbers(reasons).values(), key=len, reverse=True)
    rows = [
        (
            f"{len(places):,}",
            boxed(reasons[places[0]]),
            boxed(listed([trials[place].number for place in places])),
        )
        for places in groups[:MOST_REASONS]
    ]
    rest = sum(map(len, groups[MOST_REASONS:]))
    if rest:
        rows.append((f"{rest:,}", "other reasons", ""))
    return table(("trials", "reason", "numbers"), rows, caption=words)
