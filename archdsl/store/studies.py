"""Studies: found by name, made when new."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, insert, select, update

from archdsl.errors import StoreError
from archdsl.identity import canonical_json, digest
from archdsl.records import Json
from archdsl.store.database import Database
from archdsl.store.errors import StudyChangedError
from archdsl.store.rows import StudyRow
from archdsl.store.tables import now, record_of, studies

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
        budget: int | None = None,
    ) -> StudyRow:
        """The study of this name, made when new.

        Args:
            name: unique in the database.
            document: the study document without its budget.
            objectives: name to `minimize` or `maximize`.
            budget: kept as the total of trials asked for; None leaves what is kept.

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
                    "give the study another name, or say another database with --db"
                )
            if budget is None or budget == stored.budget:
                return stored
            connection.execute(
                update(studies).where(studies.c.id == stored.id).values(budget=budget)
            )
            return replace(stored, budget=budget)

    def find(self, name: str) -> StudyRow:
        """The study of this name.

        Raises:
            StoreError: there is none.
        """
        with self.database.read() as connection:
            found = _by_name(connection, name)
            if found is not None:
                return found
            names = ", ".join(connection.scalars(select(studies.c.name).order_by(studies.c.name)))
        raise StoreError(
            f"{self.database.place} holds no study {name!r}; it holds: {names or 'none'}"
        )

    def all(self) -> list[StudyRow]:
        """All studies, oldest first."""
        with self.database.read() as connection:
            rows = connection.execute(select(studies).order_by(studies.c.id))
            return [record_of(StudyRow, row) for row in rows]


def study_of(connection: Connection, study_id: int) -> StudyRow:
    """A study that is known to be there."""
    row = connection.execute(select(studies).where(studies.c.id == study_id)).one()
    return record_of(StudyRow, row)


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


def _yaml_lines(value: Json) -> list[str]:
    # Only here: a study rarely changes under its name.
    import yaml

    plain = json.loads(canonical_json(value))
    return yaml.safe_dump(plain, default_flow_style=False, allow_unicode=True).splitlines()
