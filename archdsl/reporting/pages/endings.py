"""The part of a report about trials that are not complete: how they ended, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archdsl.document.messages import counted, listed
from archdsl.records import State
from archdsl.reporting.formatting import alike_but_for_numbers, format_state
from archdsl.reporting.pages.findings import Findings
from archdsl.store.rows import LEFT, Trial

MOST_REASONS = 40
"""Of one state."""
UNKNOWN = "no reason was noted"


def endings_section(found: Findings) -> dict[str, Any]:
    """For each state its reasons; those that differ in numbers only are one."""
    results = found.results
    by_state = {
        word: [t for t in results.others if results.state_of(t) == word] for word in results.states
    }
    return {
        "heading": "Trials that are not complete",
        "complete": bool(results.rows),
        "states": [_state(state, trials) for state, trials in by_state.items()],
    }


def _state(state: str, trials: Sequence[Trial]) -> dict[str, Any]:
    caption = f"{counted(len(trials), 'trial')} {format_state(state)}"
    if state in (State.RUNNING, LEFT):
        return {"caption": caption, "numbers": listed([t.number for t in trials]), "rows": []}
    reasons = [trial.reason or UNKNOWN for trial in trials]
    groups = sorted(alike_but_for_numbers(reasons).values(), key=len, reverse=True)
    rows = [
        {
            "trials": f"{len(places):,}",
            "reason": reasons[places[0]],
            "numbers": listed([trials[place].number for place in places]),
        }
        for places in groups[:MOST_REASONS]
    ]
    rest = sum(map(len, groups[MOST_REASONS:]))
    if rest:
        rows.append({"trials": f"{rest:,}", "reason": "other reasons", "numbers": ""})
    return {"caption": caption, "rows": rows}
