"""A study as a file that Optuna, and so optuna-dashboard, opens as its own."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import optuna
from optuna.distributions import json_to_distribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from archdsl.records import State
from archdsl.searching.samplers.optuna import CONSTRAINTS, without_messages
from archdsl.searching.stored import ListedTrial
from archdsl.store.rows import StudyRow

STATES = {
    "running": TrialState.RUNNING,
    "complete": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
}
"""Ours to Optuna's; every other one is FAIL. That goes for infeasible trials too: Optuna wants
values of a complete trial, and nothing was measured. Their broken constraints are kept."""


def optuna_file(study: StudyRow, trials: Iterable[ListedTrial]) -> bytes:
    """An SQLite database that `optuna.load_study` and optuna-dashboard read.

    Names, directions, numbers, parameters, distributions, states, times and values of complete
    trials are the study's; each trial's attributes say its identity, the 95 % intervals of its
    values or else what became of it, and what distinguishes it from the base. Optuna takes about
    5 ms for each.

    Args:
        study: its row.
        trials: all of them, by number.
    """
    with without_messages():
        # In memory: on a disk each trial would wait for it.
        storage = optuna.storages.RDBStorage("sqlite:///:memory:")
        directions = [StudyDirection[goal.upper()] for goal in study.objectives.values()]
        made = optuna.create_study(storage=storage, study_name=study.name, directions=directions)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            made.set_metric_names(list(study.objectives))
        made.set_user_attr("document", dict(study.document))
        for listed in trials:
            made.add_trial(_frozen(listed, list(study.objectives)))
        connection: Any = storage.engine.raw_connection().driver_connection
        found: bytes = connection.serialize()
        storage.engine.dispose()
    return found


def _frozen(listed: ListedTrial, objectives: Sequence[str]) -> FrozenTrial:
    trial = listed.trial
    state = STATES.get(trial.state.value, TrialState.FAIL)
    complete = state is TrialState.COMPLETE
    frozen = create_trial(
        state=state,
        values=[trial.values[name].value for name in objectives] if complete else None,
        params=dict(trial.params),
        distributions={
            name: json_to_distribution(text) for name, text in trial.distributions.items()
        },
        user_attrs=_attributes(listed),
        system_attrs={**trial.sampler_attrs, **_constraints(listed)},
    )
    frozen.datetime_start = _local(trial.started)
    frozen.datetime_complete = _local(trial.finished) if state.is_finished() else None
    return frozen


def _attributes(listed: ListedTrial) -> dict[str, Any]:
    trial = listed.trial
    found: dict[str, Any] = {
        "arch_id": trial.arch_id,
        "trial": trial.number,
        "difference": listed.difference,
    }
    if trial.values:
        found["intervals"] = {
            name: [end if math.isfinite(end) else None for end in (value.low, value.high)]
            for name, value in trial.values.items()
        }
    if listed.over:
        found["intervals_over"] = dict(listed.over)
    found |= {f"facts.{name}": value for name, value in listed.facts.items()}
    if trial.state is not State.COMPLETE:
        found |= {"state": trial.state.value, "reason": trial.reason}
    return found


def _constraints(listed: ListedTrial) -> dict[str, list[float]]:
    """Above 0 where constraints are broken; nothing is known of what has not ended well."""
    if listed.trial.state in (State.COMPLETE, State.INFEASIBLE):
        return {CONSTRAINTS: [listed.trial.violation]}
    return {}


def _local(text: str | None) -> datetime | None:
    """Optuna's times are those of the local clock."""
    if text is None:
        return None
    return datetime.fromisoformat(text).astimezone().replace(tzinfo=None)
