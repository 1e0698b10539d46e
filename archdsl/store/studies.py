"""Studies and architectures: found by name or identity, added when new."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from archdsl.errors import StoreError
from archdsl.identity import canonical_json, digest
from archdsl.records import Json
from archdsl.store.errors import StudyChangedError
from archdsl.store.rows import Architecture, Described, StudyRow
from archdsl.store.tables import architectures, studies, trials

_MOST_DIFFERENCES = 40


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def ensure_study(
    connection: Connection,
    *,
    name: str,
    document: Mapping[str, Any],
    objectives: Mapping[str, str],
    budget: int | None,
    place: str,
) -> StudyRow:
    wrong = set(objectives.values()) - {"minimize", "maximize"}
    if wrong or not objectives:
        raise ValueError(f"objectives must say minimize or maximize, not {dict(objectives)}")
    row = connection.execute(select(studies).where(studies.c.name == name)).one_or_none()
    if row is None:
        connection.execute(
            insert(studies).values(
                name=name,
                digest=digest(dict(document)),
                document=dict(document),
                objectives=dict(objectives),
                created=now(),
                budget=budget,
            )
        )
        row = connection.execute(select(studies).where(studies.c.name == name)).one()
    stored = _study(row)
    if stored.digest != digest(dict(document)) or dict(stored.objectives) != dict(objectives):
        difference = _difference(
            {"document": stored.document, "objectives": stored.objectives},
            {"document": document, "objectives": objectives},
        )
        raise StudyChangedError(
            f"study {name!r} in {place} was begun with another document:\n{difference}\n"
            "give the study another name, or say another database with --db"
        )
    if budget is None or budget == stored.budget:
        return stored
    connection.execute(update(studies).where(studies.c.id == stored.id).values(budget=budget))
    return replace(stored, budget=budget)


def find_study(connection: Connection, *, name: str, place: str) -> StudyRow:
    row = connection.execute(select(studies).where(studies.c.name == name)).one_or_none()
    if row is None:
        names = ", ".join(connection.scalars(select(studies.c.name).order_by(studies.c.name)))
        raise StoreError(f"{place} holds no study {name!r}; it holds: {names or 'none'}")
    return _study(row)


def study_of(connection: Connection, study_id: int) -> StudyRow:
    """A study that is known to be there."""
    return _study(connection.execute(select(studies).where(studies.c.id == study_id)).one())


def all_studies(connection: Connection) -> list[StudyRow]:
    return [_study(row) for row in connection.execute(select(studies).order_by(studies.c.id))]


def add_architecture(
    connection: Connection,
    *,
    arch_id: str,
    spec: Mapping[str, Any],
    plan: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> None:
    """Does nothing when it is there already: equal identities have equal plans."""
    if not has_architecture(connection, arch_id):
        connection.execute(
            insert(architectures).values(
                arch_id=arch_id, spec=dict(spec), plan=dict(plan), facts=dict(facts)
            )
        )


def has_architecture(connection: Connection, arch_id: str) -> bool:
    column = architectures.c.arch_id
    return connection.execute(select(column).where(column == arch_id)).first() is not None


def find_architecture(connection: Connection, *, prefix: str, place: str) -> Architecture:
    wanted = prefix.strip().lower()
    column = architectures.c.arch_id
    found = [wanted] if has_architecture(connection, wanted) else []
    if wanted and not found:
        begins = column.startswith(wanted, autoescape=True)
        found = list(connection.scalars(select(column).where(begins).order_by(column).limit(6)))
    if not found:
        raise StoreError(
            f"{place} holds no architecture {prefix!r}; `archdsl front` lists what it holds"
        )
    if len(found) > 1:
        shown = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
        raise StoreError(f"{prefix!r} begins several architectures: {shown}; say more of it")
    return _architecture(connection.execute(select(architectures).where(column == found[0])).one())


def architectures_of(connection: Connection, *, study_id: int) -> dict[str, Described]:
    rows = connection.execute(
        select(architectures.c.arch_id, architectures.c.spec, architectures.c.facts)
        .join(trials, trials.c.arch_id == architectures.c.arch_id)
        .where(trials.c.study_id == study_id)
    )
    return {
        row.arch_id: Described(arch_id=row.arch_id, spec=row.spec, facts=row.facts) for row in rows
    }


def _architecture(row: Row[Any]) -> Architecture:
    return Architecture(arch_id=row.arch_id, spec=row.spec, plan=row.plan, facts=row.facts)


def _study(row: Row[Any]) -> StudyRow:
    return StudyRow(
        id=row.id,
        name=row.name,
        digest=row.digest,
        document=row.document,
        objectives=row.objectives,
        budget=row.budget,
    )


def _difference(stored: Json, given: Json) -> str:
    lines = list(
        difflib.unified_diff(
            _yaml_lines(stored), _yaml_lines(given), "stored", "given", n=2, lineterm=""
        )
    )
    if len(lines) > _MOST_DIFFERENCES:
        rest = len(lines) - _MOST_DIFFERENCES
        lines = [*lines[:_MOST_DIFFERENCES], f"… and {rest} more lines"]
    return "\n".join(lines)


def _yaml_lines(value: Json) -> list[str]:
    # Only here: a study rarely changes under its name.
    import yaml

    plain = json.loads(canonical_json(value))
    return yaml.safe_dump(plain, default_flow_style=False, allow_unicode=True).splitlines()
