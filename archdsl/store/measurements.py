"""Measurements: filed under architecture, quantity and the digest of their protocol."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from archdsl.errors import StoreError
from archdsl.records import Measurement, State
from archdsl.store.rows import ProtocolUse
from archdsl.store.studies import has_architecture, now
from archdsl.store.tables import measurements, trial_values, trials


def keep(connection: Connection, *, arch_id: str, measurement: Measurement) -> Row[Any]:
    """The stored row of a measurement, which is added unless its like is there.

    The first one stays: trials may already stand on it, and equal protocols are interchangeable.
    """
    found = _find(connection, arch_id, measurement.quantity, measurement.key)
    if found is not None:
        return found
    if not math.isfinite(measurement.value) or any(
        math.isnan(end) for end in (measurement.low, measurement.high)
    ):
        raise ValueError(
            f"{measurement.quantity} is {measurement.value}: a trial without a number diverged"
        )
    return connection.execute(
        insert(measurements)
        .returning(measurements)
        .values(
            arch_id=arch_id,
            quantity=measurement.quantity,
            key=measurement.key,
            value=measurement.value,
            low=measurement.low,
            high=measurement.high,
            unit=measurement.unit,
            protocol=dict(measurement.protocol),
            detail=dict(measurement.detail),
            created=now(),
        )
    ).one()


def record(connection: Connection, *, arch_id: str, measurement: Measurement, place: str) -> None:
    if not has_architecture(connection, arch_id):
        raise StoreError(f"{place} holds no architecture {arch_id}; add it before its measurements")
    keep(connection, arch_id=arch_id, measurement=measurement)


def find(connection: Connection, *, arch_id: str, quantity: str, key: str) -> Measurement | None:
    row = _find(connection, arch_id, quantity, key)
    return None if row is None else measurement_of(row)


def of_architecture(connection: Connection, arch_id: str) -> list[Measurement]:
    rows = connection.execute(
        select(measurements).where(measurements.c.arch_id == arch_id).order_by(measurements.c.id)
    )
    return [measurement_of(row) for row in rows]


def dates(connection: Connection, arch_id: str) -> dict[tuple[str, str], str]:
    rows = connection.execute(
        select(measurements.c.quantity, measurements.c.key, measurements.c.created).where(
            measurements.c.arch_id == arch_id
        )
    )
    return {(row.quantity, row.key): row.created for row in rows}


def behind(connection: Connection, *, trial_id: int) -> dict[str, Measurement]:
    rows = connection.execute(
        select(trial_values.c.objective, measurements)
        .join(measurements, measurements.c.id == trial_values.c.measurement_id)
        .where(trial_values.c.trial_id == trial_id)
        .order_by(trial_values.c.position)
    )
    return {row.objective: measurement_of(row) for row in rows}


def all_behind(connection: Connection, *, study_id: int) -> dict[int, dict[str, Measurement]]:
    rows = connection.execute(
        select(trial_values.c.trial_id, trial_values.c.objective, measurements)
        .join(measurements, measurements.c.id == trial_values.c.measurement_id)
        .where(trial_values.c.study_id == study_id)
        .order_by(trial_values.c.trial_id, trial_values.c.position)
    )
    found: dict[int, dict[str, Measurement]] = defaultdict(dict)
    for row in rows:
        found[row.trial_id][row.objective] = measurement_of(row)
    return dict(found)


def measured_in(
    connection: Connection, *, study_id: int, quantity: str
) -> list[tuple[str, Measurement]]:
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
    return [(row.arch_id, measurement_of(row)) for row in rows]


def foreign_protocols(
    connection: Connection, *, study_id: int, quantity: str, key: str
) -> list[ProtocolUse]:
    uses = (
        select(
            func.min(measurements.c.id).label("first_id"),
            func.count().label("trials"),
        )
        .select_from(trial_values)
        .join(measurements, measurements.c.id == trial_values.c.measurement_id)
        .join(trials, trials.c.id == trial_values.c.trial_id)
        .where(
            trials.c.study_id == study_id,
            measurements.c.quantity == quantity,
            measurements.c.key != key,
        )
        .group_by(measurements.c.key)
        .subquery()
    )
    rows = connection.execute(
        select(measurements.c.key, measurements.c.protocol, uses.c.trials)
        .join(uses, uses.c.first_id == measurements.c.id)
        .order_by(uses.c.first_id)
    )
    return [ProtocolUse(key=row.key, protocol=row.protocol, trials=row.trials) for row in rows]


def _find(connection: Connection, arch_id: str, quantity: str, key: str) -> Row[Any] | None:
    return connection.execute(
        select(measurements).where(
            measurements.c.arch_id == arch_id,
            measurements.c.quantity == quantity,
            measurements.c.key == key,
        )
    ).one_or_none()


def measurement_of(row: Row[Any]) -> Measurement:
    return Measurement(
        quantity=row.quantity,
        value=row.value,
        low=row.low,
        high=row.high,
        unit=row.unit,
        protocol=row.protocol,
        detail=row.detail,
    )
