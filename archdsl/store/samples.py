"""Further measurements of a complete trial: its value becomes what all of them say together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from archdsl.records import Measurement
from archdsl.store.database import Database
from archdsl.store.measurements import behind_values, keep
from archdsl.store.rows import Value
from archdsl.store.tables import (
    measurements,
    record_of,
    studies,
    trial_samples,
    trial_values,
    trials,
)

Aggregate = Callable[[Sequence[Measurement]], Value]
"""From all measurements behind a value, the search's own first, to that value and its interval."""


@dataclass(frozen=True, kw_only=True)
class Samples:
    """All measurements behind the values of complete trials."""

    database: Database

    def of_trial(self, trial_id: int) -> dict[str, list[Measurement]]:
        """Objective to all measurements behind a complete trial's value, the search's own first."""
        with self.database.read() as connection:
            return _behind(connection, trial_values.c.trial_id == trial_id).get(trial_id, {})

    def by_trial(self, study_id: int) -> dict[int, dict[str, list[Measurement]]]:
        """What `of_trial` says, of each complete trial of a study by its row."""
        with self.database.read() as connection:
            return _behind(connection, trial_values.c.study_id == study_id)

    def add(
        self, *, trial_id: int, objective: str, measurement: Measurement, pool: Aggregate
    ) -> None:
        """Keep a further measurement of a complete trial and make its value anew from all of them.

        Does nothing when this measurement is behind the value already.

        Args:
            trial_id: row of the trial.
            objective: whose value becomes more precise.
            measurement: of a protocol of its own: another seed, another repeat.
            pool: from all measurements behind the value, the search's own first, to the value.
        """
        with self.database.write() as connection:
            value = _value(connection, trial_id, objective)
            kept = keep(connection, value.arch_id, [measurement])[
                measurement.quantity, measurement.key
            ]
            place = {"trial_id": trial_id, "objective": objective, "measurement_id": kept.id}
            if (
                kept.id == value.measurement_id
                or connection.execute(select(trial_samples).filter_by(**place)).first()
            ):
                return
            connection.execute(insert(trial_samples).values(**place))
            behind = _behind(connection, trial_values.c.trial_id == trial_id)
            pooled = pool(behind[trial_id][objective])
            connection.execute(
                update(trial_values)
                .filter_by(trial_id=trial_id, objective=objective)
                .values(**columns(pooled, goal=value.objectives[objective]))
            )


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
        select(trial_values, trials.c.arch_id, studies.c.objectives)
        .join(trials, trials.c.id == trial_values.c.trial_id)
        .join(studies, studies.c.id == trials.c.study_id)
        .where(trial_values.c.trial_id == trial_id, trial_values.c.objective == objective)
    ).one_or_none()
    if row is None:
        raise ValueError(f"trial row {trial_id} has no value of {objective}")
    return row


def _behind(
    connection: Connection, condition: ColumnElement[bool]
) -> dict[int, dict[str, list[Measurement]]]:
    """Of each trial by its row; `condition` says which of `trial_values`."""
    found = {
        trial_id: {objective: [measurement] for objective, measurement in first.items()}
        for trial_id, first in behind_values(connection, condition).items()
    }
    rows = connection.execute(
        select(trial_samples.c.trial_id, trial_samples.c.objective, measurements)
        .join(measurements, measurements.c.id == trial_samples.c.measurement_id)
        .join(
            trial_values,
            (trial_values.c.trial_id == trial_samples.c.trial_id)
            & (trial_values.c.objective == trial_samples.c.objective),
        )
        .where(condition)
        .order_by(measurements.c.id)
    )
    for row in rows:
        found[row.trial_id][row.objective].append(record_of(Measurement, row))
    return found
