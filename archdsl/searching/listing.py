"""All trials of a study with everything that is known of each, for other tools to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archdsl.searching.test_score import final_scores
from archdsl.space.difference import Differences
from archdsl.store.rows import StudyRow, Trial
from archdsl.store.store import Store


@dataclass(frozen=True, kw_only=True)
class ListedTrial:
    """One trial.

    Args:
        trial: its row.
        difference: what distinguishes it from the study's base; empty for the base, or without one.
        facts: what is known of its architecture.
        steady: whether its latency closed and nothing disturbed it; None where that is unknown.
        test: the trained metric on test images, of members of the front that were scored.
    """

    trial: Trial
    difference: str
    facts: Mapping[str, Any]
    steady: bool | None
    test: float | None


def list_trials(store: Store, study: StudyRow) -> list[ListedTrial]:
    """Every trial of a study, by number, whatever became of it."""
    trials = store.trials.all(study.id)
    architectures = store.architectures.of_study(study.id)
    behind = store.measurements.by_trial(study.id)
    scores = final_scores(store, store.trials.front(study.id), behind)
    has_base = bool(study.document.get("base")) and bool(trials)
    base = Differences(architectures[trials[0].arch_id].spec) if has_base else None
    return [
        ListedTrial(
            trial=trial,
            difference=base.to(architectures[trial.arch_id].spec) if base else "",
            facts=architectures[trial.arch_id].facts,
            steady=latency.steady if (latency := behind.get(trial.id, {}).get("latency")) else None,
            test=score.value if (score := scores.get(trial.number)) else None,
        )
        for trial in trials
    ]
