"""Further measurements of a complete trial: its value becomes what all of them say together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from archdsl.records import Measurement
from archdsl.store import measurements
from archdsl.store.rows import Value
from archdsl.store.tables import measurements as measurements_table
from archdsl.store.tables import studies, trial_samples, trial_values, trials

Aggregate = Callable[[Sequence[Measurement]], Value]
"""From all measurements behind a value, the search's own first, to that value and its interval."""


def add(
    connection: Connection,
    *,
    trial_id: int,
    objective: str,
    measurement: Measurement,
    pool: Aggregate,
) -> None:
    value = _value(connection, trial_id, objective)
    kept = measurements.keep(connection, arch_id=value.arch_id, measurement=measurement)
    place = {"trial_id": trial_id, "objective": objective, "measurement_id": kept.id}
    if (
        kept.id == value.measurement_id
        or connection.execute(select(trial_samples).filter_by(**place)).first()
    ):
        return
    connection.execute(insert(trial_samples).values(**place))
    pooled = pool(behind(connection, trial_id=trial_id)[objective])
    goals = connection.scalar(select(studies.c.objectives).where(studies.c.id == value.study_id))
    connection.execute(
        update(trial_values)
        .filter_by(trial_id=trial_id, objective=objective)
        .values(**columns(pooled, goal=dict(goals or {})[objective]))
    )


def behind(connection: Connection, *, trial_id: int) -> dict[str, list[Measurement]]:
    """Objective to the measurements behind its value, the search's own first."""
    found = {
        objective: [measurement]
        for objective, measurement in measurements.behind(connection, trial_id=trial_id).items()
    }
    rows = connection.execute(
        select(trial_samples.c.objective, measurements_table)
        .join(measurements_table, measurements_table.c.id == trial_samples.c.measurement_id)
        .where(trial_samples.c.trial_id == trial_id)
        .order_by(measurements_table.c.id)
    )
    for row in rows:
        found[row.objective].append(measurements.measurement_of(row))
    return found


def columns(value: Value, *, goal: str) -> dict[str, float]:
    """A value as the columns of `trial_values`."""
    # Rounding may leave the value a hair outside of its interval; the front relies on it.
    low, high = min(value.low, value.value), max(value.high, value.value)
    minimized = goal == "minimize"
    return {
        "value": value.value,
        "low": low,
        "high": high,
        "loss": value.value if minimized else -value.value,
        "loss_low": low if minimized else -high,
        "loss_high": high if minimized else -low,
    }


def _value(connection: Connection, trial_id: int, objective: str) -> Row[Any]:
    row = connection.execute(
        select(trial_values, trials.c.arch_id)
        .join(trials, trials.c.id == trial_values.c.trial_id)
        .where(trial_values.c.trial_id == trial_id, trial_values.c.objective == objective)
    ).one_or_none()
    if row is None:
        raise ValueError(f"trial row {trial_id} has no value of {objective}")
    return row
