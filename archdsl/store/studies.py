"""Studies: found by name, made when new."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from archdsl.errors import StoreError
from archdsl.identity import canonical_json, differences, digest
from archdsl.records import Json, Measurement
from archdsl.store.claims import claims_of
from archdsl.store.database import Database
from archdsl.store.errors import StudyChangedError
from archdsl.store.rows import DeletedStudy, StudyRow
from archdsl.store.tables import (
    architectures,
    claims,
    epoch_values,
    measurements,
    now,
    record_of,
    runs,
    studies,
    trial_samples,
    trial_values,
    trials,
)

_MOST_SETTINGS = 3
"""Of what was changed, more of which are not put into words to type."""
_MOST_DIFFERENCES = 40


@dataclass(frozen=True, kw_only=True)
class Studies:
    """The studies of a database."""

    database: Database

    def ensure(
        self,
        *,
        name: str,
        document: Mapping[str, Any],
        objectives: Mapping[str, str],
        goes_on: bool = False,
        budget: int | None = None,
    ) -> StudyRow:
        """The study of this name, made when new.

        Args:
            name: unique in the database.
            document: the study document without its budget.
            objectives: name to `minimize` or `maximize`.
            goes_on: a search begins, if without a total of trials.
            budget: the total of trials asked for, by a search that begins.

        Raises:
            StudyChangedError: it is stored with another document or other objectives.
        """
        wrong = set(objectives.values()) - {"minimize", "maximize"}
        if wrong or not objectives:
            raise ValueError(f"objectives must say minimize or maximize, not {dict(objectives)}")
        given = StudyRow(
            id=0,
            name=name,
            digest=digest(dict(document)),
            document=dict(document),
            objectives=dict(objectives),
            budget=budget,
        )
        with self.database.write() as connection:
            stored = _by_name(connection, name) or _add(connection, given)
            if (stored.digest, stored.objectives) != (given.digest, given.objectives):
                raise StudyChangedError(
                    f"study {name!r} in {self.database.place} was begun with another document:\n"
                    f"{_difference(stored, given)}\n"
                    f"{_way_back(stored, given)}give the study another name, or say another "
                    "database with --db"
                )
            if not (goes_on or budget) or (budget, None) == (stored.budget, stored.ended):
                return stored
            going_on: dict[str, Any] = {"budget": budget, "ended": None}
            connection.execute(update(studies).where(studies.c.id == stored.id).values(**going_on))
            return replace(stored, **going_on)

    def end(self, study_id: int, why: str | None) -> None:
        """Keep why the last search of a study ended before its budget, for whoever looks on."""
        with self.database.write() as connection:
            connection.execute(update(studies).where(studies.c.id == study_id).values(ended=why))

    def find(self, name: str) -> StudyRow:
        """The study of this name.

        Raises:
            StoreError: there is none.
        """
        with self.database.read() as connection:
            return self._present(connection, name)

    def rename(self, name: str, new: str) -> StudyRow:
        """Give a study another name, in its row and in its document, with the digest of that.

        Raises:
            StoreError: there is no such study, one of the new name already, or a process works on
                it, which looks for the old name.
        """
        with self.database.write() as connection:
            study = self._present(connection, name)
            refuse_working(self.database, connection, study)
            if _by_name(connection, new) is not None:
                raise StoreError(f"{self.database.place} holds a study {new!r} already")
            document = {**study.document, "name": new}
            values: dict[str, Any] = {"name": new, "document": document, "digest": digest(document)}
            row = update(studies).where(studies.c.id == study.id)
            connection.execute(row.values(**values))
        return replace(study, **values)

    def delete(self, name: str) -> DeletedStudy:
        """Delete a study with all its trials, in one transaction.

        An architecture goes with all its measurements where no trial of another study is of it,
        and no training outside studies.

        Raises:
            StoreError: there is no such study, or a process works on it.
        """
        with self.database.write() as connection:
            study = self._present(connection, name)
            refuse_working(self.database, connection, study)
            ours = select(trials.c.id).where(trials.c.study_id == study.id).scalar_subquery()
            met = set(
                connection.scalars(select(trials.c.arch_id).where(trials.c.study_id == study.id))
            )
            for table in (claims, epoch_values, trial_samples, trial_values):
                connection.execute(delete(table).where(table.c.trial_id.in_(ours)))
            gone = connection.execute(delete(trials).where(trials.c.study_id == study.id))
            connection.execute(delete(studies).where(studies.c.id == study.id))
            measured = _delete_architectures(connection, met)
        return DeletedStudy(trials=gone.rowcount, measured=measured)

    def all(self) -> list[StudyRow]:
        """All studies, oldest first."""
        with self.database.read() as connection:
            rows = connection.execute(select(studies).order_by(studies.c.id))
            return [record_of(StudyRow, row) for row in rows]

    def _present(self, connection: Connection, name: str) -> StudyRow:
        found = _by_name(connection, name)
        if found is None:
            names = ", ".join(connection.scalars(select(studies.c.name).order_by(studies.c.name)))
            raise StoreError(
                f"{self.database.place} holds no study {name!r}; it holds: {names or 'none'}"
            )
        return found


def study_of(connection: Connection, study_id: int) -> StudyRow:
    """A study that is known to be there."""
    row = connection.execute(select(studies).where(studies.c.id == study_id)).one()
    return record_of(StudyRow, row)


def refuse_working(database: Database, connection: Connection, study: StudyRow) -> None:
    """Refuse what would take a study from under a search.

    Raises:
        StoreError: a process works on one of its trials.
    """
    living = database.living(connection)
    working = [
        claim for claim in claims_of(connection, study_id=study.id, living=living) if claim.alive
    ]
    if working:
        raise StoreError(
            f"study {study.name!r} is searched right now: {working[0].owner} works on trial "
            f"{working[0].number}; end that search first (Ctrl-C there)"
        )


def _delete_architectures(
    connection: Connection, met: set[str]
) -> dict[str, tuple[Measurement, ...]]:
    """Those that neither trial nor run is left of, each with its measurements, which go along."""
    lost = {}
    for arch_id in sorted(met):
        needed = (select(t.c.id).where(t.c.arch_id == arch_id).limit(1) for t in (trials, runs))
        if any(connection.execute(each).first() for each in needed):
            continue
        taken = measurements.c.arch_id == arch_id
        rows = connection.execute(select(measurements).where(taken))
        lost[arch_id] = tuple(record_of(Measurement, row) for row in rows)
        connection.execute(delete(measurements).where(taken))
        connection.execute(delete(architectures).where(architectures.c.arch_id == arch_id))
    return lost


def _by_name(connection: Connection, name: str) -> StudyRow | None:
    row = connection.execute(select(studies).where(studies.c.name == name)).one_or_none()
    return None if row is None else record_of(StudyRow, row)


def _add(connection: Connection, study: StudyRow) -> StudyRow:
    values = {name: value for name, value in vars(study).items() if name != "id"}
    row = connection.execute(insert(studies).returning(studies).values(**values, created=now()))
    return record_of(StudyRow, row.one())


def _difference(stored: StudyRow, given: StudyRow) -> str:
    before, after = (
        _yaml_lines({"document": each.document, "objectives": each.objectives})
        for each in (stored, given)
    )
    lines = list(difflib.unified_diff(before, after, "stored", "given", n=2, lineterm=""))
    if len(lines) > _MOST_DIFFERENCES:
        rest = len(lines) - _MOST_DIFFERENCES
        lines = [*lines[:_MOST_DIFFERENCES], f"… and {rest} more lines"]
    return "\n".join(lines)


def _way_back(stored: StudyRow, given: StudyRow) -> str:
    """How to go on with the study as it was, where a few settings say so."""
    changed = list(differences(stored.document, given.document))
    if len(changed) > _MOST_SETTINGS or stored.objectives != given.objectives:
        return ""
    if any(path[0] not in ("evaluate", "sampler") or _is_nested(old) for path, old, _ in changed):
        return ""
    settings = " ".join(f"--set {'.'.join(path)}={json.dumps(old)}" for path, old, _ in changed)
    return f"go on with it as it was by adding {settings}; or "


def _is_nested(value: object) -> bool:
    return isinstance(value, Mapping | list)


def _yaml_lines(value: Json) -> list[str]:
    # Only here: a study rarely changes under its name.
    import yaml

    plain = json.loads(canonical_json(value))
    return yaml.safe_dump(plain, default_flow_style=False, allow_unicode=True).splitlines()
