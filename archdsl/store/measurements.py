"""Measurements: filed under architecture, quantity and the digest of their protocol."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, insert, select

from archdsl.errors import StoreError
from archdsl.records import Measurement, State
from archdsl.store.architectures import add_architecture, has_architecture
from archdsl.store.database import Database
from archdsl.store.rows import Architecture
from archdsl.store.tables import measurements, now, record_of, trial_values, trials

# Statements that every trial needs are built once.
_OF_ARCH = (
    select(measurements)
    .where(measurements.c.arch_id == bindparam("arch"))
    .order_by(measurements.c.id)
)
_STAND = [measurements.c[name] for name in ("id", "quantity", "key", "value", "low", "high")]
_KEPT = _OF_ARCH.with_only_columns(*_STAND)
_INSERT = insert(measurements).returning(*_STAND)


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """Measurements of architectures, and which of them a trial's values are made of."""

    database: Database

    def record(self, arch_id: str, measurement: Measurement) -> None:
        """Keep a measurement, unless one of the same quantity and protocol is stored.

        Raises:
            StoreError: the architecture is unknown.
        """
        with self.database.write() as connection:
            if not has_architecture(connection, arch_id):
                raise StoreError(
                    f"{self.database.place} holds no architecture {arch_id}; "
                    "add it before its measurements"
                )
            keep(connection, arch_id, [measurement])

    def add(self, architecture: Architecture, made: Iterable[Measurement]) -> None:
        """Keep measurements of an architecture that need be in no study, such as a module's.

        Args:
            architecture: added unless it is there.
            made: each kept unless one of the same quantity and protocol is stored.
        """
        with self.database.write() as connection:
            add_architecture(connection, architecture)
            keep(connection, architecture.arch_id, made)

    def find(self, *, arch_id: str, quantity: str, key: str) -> Measurement | None:
        with self.database.read() as connection:
            row = connection.execute(
                select(measurements).where(
                    measurements.c.arch_id == arch_id,
                    measurements.c.quantity == quantity,
                    measurements.c.key == key,
                )
            ).one_or_none()
            return None if row is None else record_of(Measurement, row)

    def of_arch(self, arch_id: str) -> list[Measurement]:
        """All measurements of an architecture, oldest first."""
        with self.database.read() as connection:
            rows = connection.execute(_OF_ARCH, {"arch": arch_id})
            return [record_of(Measurement, row) for row in rows]

    def dates(self, arch_id: str) -> dict[tuple[str, str], str]:
        """(quantity, key) of each measurement of an architecture to when it was stored: ISO 8601
        in UTC."""
        columns = (measurements.c.quantity, measurements.c.key, measurements.c.created)
        with self.database.read() as connection:
            rows = connection.execute(select(*columns).where(measurements.c.arch_id == arch_id))
            return {(row.quantity, row.key): row.created for row in rows}

    def of_trial(self, trial_id: int) -> dict[str, Measurement]:
        """Objective to the measurement that a complete trial's value is of."""
        with self.database.read() as connection:
            return behind_values(connection, trial_values.c.trial_id == trial_id).get(trial_id, {})

    def by_trial(self, study_id: int) -> dict[int, dict[str, Measurement]]:
        """What `of_trial` says, of each complete trial of a study by its row."""
        with self.database.read() as connection:
            return behind_values(connection, trial_values.c.study_id == study_id)

    def of_study(self, study_id: int, quantity: str) -> list[tuple[str, Measurement]]:
        """(identity, measurement) of all complete trials' architectures, oldest first; those made
        outside of the study are among them."""
        with self.database.read() as connection:
            rows = connection.execute(
                select(measurements)
                .join(trials, trials.c.arch_id == measurements.c.arch_id)
                .where(
                    trials.c.study_id == study_id,
                    trials.c.state == State.COMPLETE,
                    measurements.c.quantity == quantity,
                )
                .order_by(measurements.c.id)
            )
            return [(row.arch_id, record_of(Measurement, row)) for row in rows]

    def foreign_protocol(
        self, *, study_id: int, quantity: str, key: str
    ) -> Mapping[str, Any] | None:
        """The oldest protocol of a `quantity` other than the one of `key` that complete trials
        stand on; None where there is no other."""
        other = (
            select(measurements.c.protocol)
            .join(trial_values, trial_values.c.measurement_id == measurements.c.id)
            .where(
                trial_values.c.study_id == study_id,
                measurements.c.quantity == quantity,
                measurements.c.key != key,
            )
            .order_by(measurements.c.id)
        )
        with self.database.read() as connection:
            found: Mapping[str, Any] | None = connection.scalar(other.limit(1))
            return found


def keep(
    connection: Connection, arch_id: str, made: Iterable[Measurement]
) -> dict[tuple[str, str], Row[Any]]:
    """Add each measurement of an architecture, unless its like is there.

    The first one stays: trials may already stand on it, and equal protocols are interchangeable.

    Returns:
        (quantity, key) to the stored row, without protocol and detail.
    """
    kept = {(row.quantity, row.key): row for row in connection.execute(_KEPT, {"arch": arch_id})}
    for measurement in made:
        place = (measurement.quantity, measurement.key)
        if place not in kept:
            kept[place] = _insert(connection, arch_id, measurement)
    return kept


def _insert(connection: Connection, arch_id: str, measurement: Measurement) -> Row[Any]:
    if not math.isfinite(measurement.value) or any(
        math.isnan(end) for end in (measurement.low, measurement.high)
    ):
        raise ValueError(
            f"{measurement.quantity} is {measurement.value}: a trial without a number diverged"
        )
    values = vars(measurement) | {
        "arch_id": arch_id,
        "key": measurement.key,
        "protocol": dict(measurement.protocol),
        "detail": dict(measurement.detail),
        "created": now(),
    }
    return connection.execute(_INSERT, values).one()


def behind_values(
    connection: Connection, condition: ColumnElement[bool]
) -> dict[int, dict[str, Measurement]]:
    """Row of each complete trial to its objectives and the measurements that their values are of.

    Args:
        connection: a transaction.
        condition: says which of `trial_values`.
    """
    found: dict[int, dict[str, Measurement]] = defaultdict(dict)
    rows = connection.execute(
        select(trial_values.c.trial_id, trial_values.c.objective, measurements)
        .join(measurements, measurements.c.id == trial_values.c.measurement_id)
        .where(condition)
        .order_by(trial_values.c.trial_id, trial_values.c.position)
    )
    for row in rows:
        found[row.trial_id][row.objective] = record_of(Measurement, row)
    return dict(found)
