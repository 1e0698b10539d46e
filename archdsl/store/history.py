"""Reading trials: the history in commit order, the table, the front, the counts."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, column, func, select, table

from archdsl.errors import StoreError
from archdsl.records import State
from archdsl.store.rows import EpochValue, StudySize, Times, Trial, TrialCounts, Value
from archdsl.store.tables import epoch_values, trial_values, trials


def finished(connection: Connection, *, study_id: int, after: int) -> list[Trial]:
    return _trials(
        connection,
        (trials.c.study_id == study_id) & (trials.c.finish_order > after),
        order=trials.c.finish_order,
    )


def all_trials(connection: Connection, *, study_id: int) -> list[Trial]:
    return _trials(connection, trials.c.study_id == study_id, order=trials.c.number)


def by_number(connection: Connection, *, study_id: int, number: int) -> Trial:
    mine = trials.c.study_id == study_id
    found = _trials(connection, mine & (trials.c.number == number), order=trials.c.number)
    if not found:
        rows = connection.scalar(select(func.count()).where(mine))
        held = f"its trials are 0 to {rows - 1}" if rows else "it has none yet"
        raise StoreError(f"the study has no trial {number}; {held}")
    return found[0]


def without_values(connection: Connection, trial_id: int) -> Trial:
    """A trial that is known not to be complete."""
    return _trial(connection.execute(select(trials).where(trials.c.id == trial_id)).one(), {})


def front(connection: Connection, *, study_id: int, robust: bool) -> list[Trial]:
    view = table("front_robust" if robust else "front", column("trial_id"), column("study_id"))
    members = select(view.c.trial_id).where(view.c.study_id == study_id)
    ids = sorted(connection.scalars(members))
    if not ids:
        return []
    # A second query by identity: nested, the view would be computed once for the rows and once
    # more for their values.
    return [
        trial
        for chunk in (ids[start : start + 500] for start in range(0, len(ids), 500))
        for trial in _trials(connection, trials.c.id.in_(chunk), order=trials.c.number)
    ]


def seen(connection: Connection, *, study_id: int) -> set[str]:
    return set(connection.scalars(select(trials.c.arch_id).where(trials.c.study_id == study_id)))


def times(connection: Connection, *, study_id: int) -> dict[int, Times]:
    rows = connection.execute(
        select(trials.c.number, trials.c.started, trials.c.finished).where(
            trials.c.study_id == study_id
        )
    )
    return {row.number: Times(started=row.started, finished=row.finished) for row in rows}


def size(connection: Connection, *, study_id: int) -> StudySize:
    """In a time that does not grow with the trials: numbers run from 0 without a gap."""
    mine = trials.c.study_id == study_id
    last = connection.scalar(select(func.max(trials.c.number)).where(mine))
    rows = 0 if last is None else last + 1
    free = select(func.count()).where(mine, trials.c.counted.is_(False))
    return StudySize(rows=rows, counted=rows - (connection.scalar(free) or 0))


def count(connection: Connection, *, study_id: int) -> TrialCounts:
    states = dict.fromkeys(State, 0)
    counted = 0
    rows = connection.execute(
        select(trials.c.state, trials.c.counted, func.count().label("rows"))
        .where(trials.c.study_id == study_id)
        .group_by(trials.c.state, trials.c.counted)
    )
    for row in rows:
        states[State(row.state)] += row.rows
        counted += row.rows if row.counted else 0
    return TrialCounts(states=states, counted=counted)


def epochs(connection: Connection, *, trial_id: int) -> list[EpochValue]:
    rows = connection.execute(
        select(epoch_values)
        .where(epoch_values.c.trial_id == trial_id)
        .order_by(epoch_values.c.epoch, epoch_values.c.name)
    )
    return [
        EpochValue(
            epoch=row.epoch, name=row.name, value=math.nan if row.value is None else row.value
        )
        for row in rows
    ]


def values_after(connection: Connection, *, study_id: int, epoch: int, name: str) -> list[float]:
    values = connection.scalars(
        select(epoch_values.c.value)
        .join(trials, trials.c.id == epoch_values.c.trial_id)
        .where(
            trials.c.study_id == study_id,
            epoch_values.c.epoch == epoch,
            epoch_values.c.name == name,
        )
        .order_by(epoch_values.c.trial_id)
    )
    return [math.nan if value is None else value for value in values]


def _trials(
    connection: Connection, condition: ColumnElement[bool], *, order: ColumnElement[Any]
) -> list[Trial]:
    values: dict[int, dict[str, Value]] = defaultdict(dict)
    value_rows = connection.execute(
        select(trial_values)
        .join(trials, trials.c.id == trial_values.c.trial_id)
        .where(condition)
        .order_by(trial_values.c.trial_id, trial_values.c.position)
    )
    for row in value_rows:
        values[row.trial_id][row.objective] = Value(value=row.value, low=row.low, high=row.high)
    rows = connection.execute(select(trials).where(condition).order_by(order))
    return [_trial(row, values.get(row.id, {})) for row in rows]


def _trial(row: Row[Any], values: dict[str, Value]) -> Trial:
    return Trial(
        id=row.id,
        study_id=row.study_id,
        number=row.number,
        arch_id=row.arch_id,
        state=State(row.state),
        params=row.params,
        distributions=row.distributions,
        sampler_attrs=row.sampler_attrs,
        attempt=row.attempt,
        counted=row.counted,
        violation=row.violation,
        reason=row.reason,
        seconds=row.seconds,
        finish_order=row.finish_order,
        values=values,
    )
