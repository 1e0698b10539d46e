"""Copying a study into another database, in one transaction there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Table, insert, select

from archdsl.errors import StoreError
from archdsl.store.damage import Within, damages
from archdsl.store.database import Database
from archdsl.store.rows import StudyRow
from archdsl.store.soundness import damaged
from archdsl.store.studies import refuse_working
from archdsl.store.tables import (
    architectures,
    claims,
    epoch_values,
    measurements,
    record_of,
    studies,
    trial_samples,
    trial_values,
    trials,
)
from archdsl.store.weights import copied_detail

_AT_ONCE = 200
"""Rows that are held in memory."""

_SAME = ("value", "low", "high", "unit")

_Id = TypeVar("_Id")


def copy_study(name: str, *, source: Database, target: Database) -> int:
    """Copy a study with its trials, values, epochs, samples, architectures and measurements.

    The copied measurements name the trainings where they lie, as those of the database that has
    trained them; see `archdsl.store.weights.copied_detail`.

    Args:
        name: of the study, here and there.
        source: read in one transaction.
        target: written to in one transaction: all is there, or nothing.

    Returns:
        How many trials were copied.

    Raises:
        StoreError: the source has no such study, or it is searched right now; the target has one
            of this name, or holds another value of the same architecture under the same key.
    """
    if source.location.is_same(target.location):
        raise StoreError(f"{target.place} is the database that the study is in; name another")
    with source.read() as here:
        found, study = _to_be_copied(here, name, source=source)
        with target.write() as there:
            taken = select(studies.c.id).where(studies.c.name == name)
            if there.execute(taken).first() is not None:
                raise StoreError(
                    f"{target.place} holds a study {name!r} already; rename or delete one of them"
                )
            study_id = there.execute(
                insert(studies).returning(studies.c.id), _values(found)
            ).scalar_one()
            mine = trials.c.study_id == study.id
            met = here.scalars(select(trials.c.arch_id).where(mine).order_by(trials.c.number)).all()
            kept: dict[int, int] = {}
            for arch_ids in _chunks(met):
                _copy_architectures(here, there, arch_ids)
                kept |= _copy_measurements(here, there, arch_ids, source=source, target=target)
            rows = here.scalars(select(trials.c.id).where(mine).order_by(trials.c.number)).all()
            for trial_ids in _chunks(rows):
                _copy_trials(here, there, trial_ids, study_id=study_id, kept=kept)
    return len(rows)


def check_copy(name: str, *, source: Database) -> None:
    """Refuse what `copy_study` would, before there is a target that would be left empty.

    Raises:
        StoreError: the source has no such study, it is searched right now, or it is damaged.
    """
    with source.read() as here:
        _to_be_copied(here, name, source=source)


def _to_be_copied(
    here: Connection, name: str, *, source: Database
) -> tuple[Mapping[str, Any], StudyRow]:
    found = here.execute(select(studies).where(studies.c.name == name)).one_or_none()
    if found is None:
        raise StoreError(f"{source.place} holds no study {name!r}")
    study = record_of(StudyRow, found)
    refuse_working(source, here, study)
    within = Within(study_id=study.id)
    if damage := damages(here, within):
        raise damaged(here, damage, place=source.place, within=within)
    return dict(found._mapping), study


def _copy_architectures(here: Connection, there: Connection, arch_ids: Sequence[str]) -> None:
    """Equal identities have equal plans: one that is there stays."""
    wanted = architectures.c.arch_id.in_(arch_ids)
    present = set(there.scalars(select(architectures.c.arch_id).where(wanted)))
    rows = here.execute(select(architectures).where(wanted))
    new = [dict(row._mapping) for row in rows if row.arch_id not in present]
    if new:
        there.execute(insert(architectures), new)


def _copy_measurements(
    here: Connection,
    there: Connection,
    arch_ids: Sequence[str],
    *,
    source: Database,
    target: Database,
) -> dict[int, int]:
    """Row here to row there."""
    wanted = select(measurements).where(measurements.c.arch_id.in_(arch_ids))
    rows = here.execute(wanted.order_by(measurements.c.id)).all()
    present = {_key(row): row for row in there.execute(wanted)}
    kept = {}
    for row in rows:
        twin = present.get(_key(row))
        if twin is None:
            continue
        if any(getattr(twin, name) != getattr(row, name) for name in _SAME):
            raise StoreError(
                f"{target.place} holds another {row.quantity} of {row.arch_id} under the same "
                f"protocol: {twin.value:g} {twin.unit} there, {row.value:g} {row.unit} here; "
                "nothing was copied"
            )
        kept[row.id] = twin.id
    new = [dict(row._mapping) for row in rows if row.id not in kept]
    for each in new:
        each["detail"] = copied_detail(
            each["detail"],
            source=source.place,
            folder=source.location.folder,
            target=target.place,
        )
    return kept | _insert(there, measurements, new)


def _key(row: Row[Any]) -> tuple[str, str, str]:
    return row.arch_id, row.quantity, row.key


def _copy_trials(
    here: Connection,
    there: Connection,
    trial_ids: Sequence[int],
    *,
    study_id: int,
    kept: Mapping[int, int],
) -> None:
    """Trials here as those of a study there, with all that is said of them."""
    wanted = select(trials).where(trials.c.id.in_(trial_ids)).order_by(trials.c.number)
    mine = [dict(row._mapping) | {"study_id": study_id} for row in here.execute(wanted)]
    ids = _insert(there, trials, mine)
    for table in (trial_values, trial_samples, epoch_values, claims):
        copies = []
        for row in here.execute(select(table).where(table.c.trial_id.in_(trial_ids))):
            copy = dict(row._mapping) | {"trial_id": ids[row.trial_id]}
            if "study_id" in copy:
                copy["study_id"] = study_id
            if "measurement_id" in copy:
                copy["measurement_id"] = kept[row.measurement_id]
            copies.append(copy)
        if copies:
            there.execute(insert(table), copies)


def _insert(there: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """Add copies under rows of their own; the row here to that there."""
    if not rows:
        return {}
    statement = insert(table).returning(table.c.id, sort_by_parameter_order=True)
    made = there.scalars(statement, [_values(row) for row in rows])
    return {row["id"]: copy for row, copy in zip(rows, made, strict=True)}


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "id"}


def _chunks(ids: Sequence[_Id]) -> Iterator[Sequence[_Id]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
