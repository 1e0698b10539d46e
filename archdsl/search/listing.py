"""All trials of a study with everything that is known of each, for other tools to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archdsl.search.difference import Differences
from archdsl.store.rows import Study, Times, Trial
from archdsl.store.store import Store


@dataclass(frozen=True, kw_only=True)
class ListedTrial:
    """One trial.

    Args:
        trial: its row.
        difference: what distinguishes it from the study's base; empty for the base, or without one.
        facts: what is known of its architecture.
        times: when it was begun and ended.
    """

    trial: Trial
    difference: str
    facts: Mapping[str, Any]
    times: Times


def list_trials(store: Store, study: Study) -> list[ListedTrial]:
    """Every trial of a study, by number, whatever became of it."""
    trials, times = store.trials(study.id), store.times(study.id)
    architectures = store.architectures(study.id)
    has_base = bool(study.document.get("base")) and bool(trials)
    base = Differences(architectures[trials[0].arch_id].spec) if has_base else None
    return [
        ListedTrial(
            trial=trial,
            difference=base.to(architectures[trial.arch_id].spec) if base else "",
            facts=architectures[trial.arch_id].facts,
            times=times[trial.number],
        )
        for trial in trials
    ]
