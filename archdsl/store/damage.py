"""Rows that something else than archdsl wrote: what is wrong with each, before they are used.

A database that any tool may edit holds what our own checks would have refused: SQLite keeps a text
where a number belongs, and rows that others refer to may be gone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Double,
    FromClause,
    Integer,
    String,
    Table,
    and_,
    case,
    cast,
    false,
    func,
    not_,
    or_,
    select,
    type_coerce,
)

from archdsl.document.messages import counted
from archdsl.metrics import METRICS, TRAINED, on_test_images
from archdsl.records import State
from archdsl.store.json_parts import Check, parts_of_other_types
from archdsl.store.tables import (
    architectures,
    claims,
    measurements,
    metadata,
    runs,
    studies,
    trial_values,
    trials,
)

_BOUNDS = {name: metric.bounds for name, metric in METRICS.items()} | {
    on_test_images(name): METRICS[name].bounds for name in TRAINED
}
_QUANTITY_OF = {
    measurements.c.value: measurements.c.quantity,
    trial_values.c.value: trial_values.c.objective,
}
_FINITE = frozenset({*_QUANTITY_OF, trial_values.c.loss})
_TIMES = ("created", "started", "finished", "claimed_at")
_MOST_SHOWN = 60
"""Characters of what was found."""


@dataclass(frozen=True, kw_only=True)
class Within:
    """Which rows to look at: all, or those that a study, a trial or an architecture needs, or of
    one table."""

    study_id: int | None = None
    number: int | None = None
    arch_id: str | None = None
    table: Table | None = None

    def of(self, table: Table) -> list[ColumnElement[bool]]:
        """As conditions on the rows of a table beside those of trials and studies."""
        study = studies.c.id if table is studies else trials.c.study_id
        arch = table.c.arch_id if "arch_id" in table.c else trials.c.arch_id
        wanted = {study: self.study_id, trials.c.number: self.number, arch: self.arch_id}
        return [
            column == value
            for column, value in wanted.items()
            if value is not None and not (table is studies and column is not study)
        ]


ALL = Within()


@dataclass(frozen=True, kw_only=True)
class Damage:
    """One value that cannot be right.

    Args:
        row: of which table, by its key.
        message: the column, what it holds, what is allowed.
        study: whose it is; None where no study's trial needs it.
        number: of the trial that needs it; None where it is not one trial's.
    """

    row: str
    message: str
    study: str | None
    number: int | None = field(default=None)

    def __str__(self) -> str:
        of = f" of '{self.study}'" if self.study else ""
        whose = f"trial {self.number}{of}" if self.number is not None else f"study{of[3:]}"
        return f"{whose}: {self.row}: {self.message}" if of else f"{self.row}: {self.message}"


def damages(connection: Connection, within: Within = ALL) -> list[Damage]:
    """What is wrong with the rows of a database, a study, a trial or an architecture."""
    lite = connection.dialect.name == "sqlite"
    found: dict[tuple[str, str], Damage] = {}
    for table in metadata.sorted_tables if within.table is None else [within.table]:
        checks = [check for column in table.c for check in _checks(column, lite=lite)]
        if table is trials:
            checks += _of_trials()
        for each in _rows(connection, table, checks, within):
            found.setdefault((each.row, each.message), each)
    return [*found.values(), *(_incomplete(connection, within) if within.table is None else ())]


def _checks(column: Column[Any], *, lite: bool) -> Iterator[Check]:
    if lite:
        yield from _of_type(column)
        for key in column.foreign_keys:
            parent = key.column.table.alias()
            there = select(1).where(parent.c[key.column.name] == column).exists()
            missing = and_(column.is_not(None), not_(there))
            yield column, missing, f"which no row of {key.column.table} has"
    elif isinstance(column.type, JSON):
        yield column, func.json_typeof(column).not_in(_kinds(column)), "not a JSON object"
    yield from parts_of_other_types(column, lite=lite)
    if column is architectures.c.facts:
        yield column, _holds_no_number(column, lite=lite), "not all of them numbers"
    if column is measurements.c.low:
        yield column, column > measurements.c.high, "above the upper end of the interval"
    if column in _FINITE:
        yield column, _out_of_bounds(column), "not a possible value"
    if column is trials.c.state:
        yield column, column.not_in(list(State)), f"none of: {', '.join(State)}"


def _kinds(column: Column[Any]) -> list[str]:
    return ["object", "null"] if column.nullable else ["object"]


def _of_type(column: Column[Any]) -> Iterator[Check]:
    """SQLite keeps values of any type in any column."""
    raw = type_coerce(column, String)
    kind, is_null = func.typeof(raw), false() if not column.nullable else column.is_(None)
    if isinstance(column.type, JSON):
        right = func.json_type(raw).in_(_kinds(column))
        whole = case((func.json_valid(raw) == 1, right), else_=is_null)
        yield column, not_(whole), "not a JSON object"
    elif isinstance(column.type, Integer | Boolean):
        yield column, not_(or_(kind == "integer", is_null)), "not a whole number"
    elif isinstance(column.type, Double):
        yield column, not_(or_(kind.in_(["real", "integer"]), is_null)), "not a number"
    else:
        yield column, not_(or_(kind == "text", is_null)), "not a text"
        if column.name in _TIMES:
            yield column, and_(column.is_not(None), func.julianday(raw).is_(None)), "not a time"


def _holds_no_number(column: Column[Any], *, lite: bool) -> ColumnElement[bool]:
    """Whether a JSON object has a value that is no number; what is no object has none."""
    if lite:
        raw = type_coerce(column, String)
        each = func.json_each(case((func.json_valid(raw) == 1, raw), else_="{}"))
        values = each.table_valued("type")
        return select(1).where(values.c.type.not_in(["integer", "real"])).exists()
    is_object = func.json_typeof(column) == "object"
    values = func.json_each(case((is_object, column), else_=cast({}, JSON))).table_valued("value")
    return select(1).where(func.json_typeof(values.c.value) != "number").exists()


def _out_of_bounds(column: Column[Any]) -> ColumnElement[bool]:
    most = sys.float_info.max
    impossible: list[ColumnElement[bool]] = [not_(column.between(-most, most))]
    if (quantity := _QUANTITY_OF.get(column)) is not None:
        impossible += [
            and_(quantity == name, not_(column.between(max(low, -most), min(high, most))))
            for name, (low, high) in _BOUNDS.items()
        ]
    return or_(*impossible)


def _of_trials() -> list[Check]:
    ended = and_(trials.c.state.in_(list(State)), trials.c.state != State.RUNNING)
    claimed = select(1).where(claims.c.trial_id == trials.c.id).exists()
    unclaimed = and_(trials.c.state == State.RUNNING, not_(claimed))
    missing = "missing, and the trial has ended"
    return [
        (trials.c.finish_order, and_(ended, trials.c.finish_order.is_(None)), missing),
        (trials.c.finished, and_(ended, trials.c.finished.is_(None)), missing),
        (trials.c.state, unclaimed, "and no row of claims says whose it is"),
    ]


def _rows(
    connection: Connection, table: Table, checks: Sequence[Check], within: Within
) -> Iterator[Damage]:
    if not checks:
        return
    source, number = _beside_trials(table)
    keys = [cast(key, String).label(f"key_{key.name}") for key in table.primary_key]
    texts = [cast(type_coerce(column, String), String) for column, _, _ in checks]
    flags = [case((wrong, 1), else_=0) for _, wrong, _ in checks]
    rows = connection.execute(
        select(type_coerce(studies.c.name, String), number, *keys, *texts, *flags)
        .select_from(source)
        .where(or_(*(wrong for _, wrong, _ in checks)), *within.of(table))
    )
    names = [key.name for key in table.primary_key]
    for study, trial, *rest in rows:
        key = ", ".join(f"{name}={value}" for name, value in zip(names, rest, strict=False))
        found = rest[len(names) :]
        told: set[Column[Any]] = set()
        for (column, _, allowed), text, wrong in zip(
            checks, found[: len(checks)], found[len(checks) :], strict=True
        ):
            if wrong and column not in told:
                told.add(column)
                shown = "nothing" if text is None else repr(text[:_MOST_SHOWN])
                message = f"{column.name} is {shown}, {allowed}"
                yield Damage(row=f"{table} {key}", message=message, study=study, number=trial)


def _beside_trials(table: Table) -> tuple[FromClause, ColumnElement[Any]]:
    """A table with the trials that need its rows, and their studies; the numbers of the trials."""
    number = type_coerce(trials.c.number, Integer)
    if table is studies:
        return studies, cast(None, Integer)
    source: FromClause = table
    if table is not trials:
        by_arch = table in (architectures, measurements, runs)
        own = table.c.arch_id if by_arch else table.c.trial_id
        source = table.outerjoin(trials, (trials.c.arch_id if by_arch else trials.c.id) == own)
    return source.outerjoin(studies, studies.c.id == trials.c.study_id), number


def _incomplete(connection: Connection, within: Within) -> Iterator[Damage]:
    """Complete trials without a value of each objective, and trials that are gone."""
    raw = type_coerce(studies.c.objectives, String)
    columns = (studies.c.id, studies.c.name, cast(raw, String).label("objectives"))
    for study in connection.execute(select(*columns).where(*within.of(studies))):
        mine = and_(trials.c.study_id == study.id, *within.of(trials))
        try:
            objectives = list(json.loads(study.objectives))
        except (TypeError, ValueError):
            continue  # told already
        values = select(func.count()).where(trial_values.c.trial_id == trials.c.id)
        few = values.where(trial_values.c.objective.in_(objectives)).scalar_subquery()
        short = and_(mine, trials.c.state == State.COMPLETE, few != len(objectives))
        for number, count in connection.execute(select(trials.c.number, few).where(short)):
            message = f"{count} of its {len(objectives)} values are there"
            yield Damage(row="trial_values", message=message, study=study.name, number=number)
        if within.number is None and within.arch_id is None:
            count, last = connection.execute(
                select(func.count(), func.max(trials.c.number)).where(mine)
            ).one()
            if count and isinstance(last, int) and last + 1 != count:
                message = f"{counted(count, 'row')}, where trials 0 to {last} should be"
                yield Damage(row="trials", message=message, study=study.name)
