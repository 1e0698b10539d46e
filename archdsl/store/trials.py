"""Writing trials: proposed, reported on, finished, taken over. One transaction for each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from archdsl.records import Measurement, Outcome, State
from archdsl.store import claims, history, measurements, samples
from archdsl.store.errors import DuplicateTrialError
from archdsl.store.owner import Owner
from archdsl.store.rows import Value
from archdsl.store.studies import add_architecture, now
from archdsl.store.tables import claims as claims_table
from archdsl.store.tables import epoch_values, studies, trial_values, trials


def add(
    connection: Connection,
    *,
    study_id: int,
    budget: int | None,
    arch_id: str,
    spec: Mapping[str, Any],
    plan: Mapping[str, Any],
    facts: Mapping[str, Any],
    params: Mapping[str, Any],
    distributions: Mapping[str, Any],
    sampler_attrs: Mapping[str, Any],
    attempt: int,
    counted: bool,
) -> int | None:
    """A running trial without a claim; its row, or None when the budget is used up."""
    mine = trials.c.study_id == study_id
    size = history.size(connection, study_id=study_id)
    if budget is not None and size.counted >= budget:
        return None
    twin = connection.scalar(select(trials.c.number).where(mine, trials.c.arch_id == arch_id))
    if twin is not None:
        raise DuplicateTrialError(arch_id=arch_id, number=twin)
    add_architecture(connection, arch_id=arch_id, spec=spec, plan=plan, facts=facts)
    row_ids = connection.scalars(
        insert(trials)
        .returning(trials.c.id)
        .values(
            study_id=study_id,
            number=size.rows,
            arch_id=arch_id,
            state=State.RUNNING,
            params=dict(params),
            distributions=dict(distributions),
            sampler_attrs=dict(sampler_attrs),
            attempt=attempt,
            counted=counted,
            violation=0.0,
            seconds=0.0,
            started=now(),
        )
    )
    trial_id: int = row_ids.one()
    return trial_id


def report_epoch(
    connection: Connection, *, trial_id: int, token: str, epoch: int, name: str, value: float
) -> None:
    claims.check(connection, trial_id=trial_id, token=token)
    stored = None if math.isnan(value) else value
    place = (
        (epoch_values.c.trial_id == trial_id)
        & (epoch_values.c.epoch == epoch)
        & (epoch_values.c.name == name)
    )
    # A trial that continues from its checkpoint reports the epochs after it once more.
    again = connection.execute(update(epoch_values).where(place).values(value=stored))
    if not again.rowcount:
        connection.execute(
            insert(epoch_values).values(trial_id=trial_id, epoch=epoch, name=name, value=stored)
        )


def finish(
    connection: Connection,
    *,
    trial_id: int,
    token: str,
    outcome: Outcome,
    values: Mapping[str, Measurement],
) -> None:
    trial = claims.check(connection, trial_id=trial_id, token=token)
    objectives = _objectives(connection, trial.study_id)
    kept: dict[tuple[str, str], Row[Any]] = {}
    for measurement in (*outcome.measurements, *values.values()):
        place = (measurement.quantity, measurement.key)
        kept[place] = kept.get(place) or measurements.keep(
            connection, arch_id=trial.arch_id, measurement=measurement
        )
    if outcome.state is State.COMPLETE:
        rows = {name: kept[each.quantity, each.key] for name, each in values.items()}
        _write_values(connection, trial=trial, objectives=objectives, rows=rows)
    end(
        connection,
        study_id=trial.study_id,
        trial_id=trial_id,
        state=outcome.state,
        reason=outcome.reason,
        seconds=outcome.seconds,
        violation=outcome.violation,
    )


def end(
    connection: Connection,
    *,
    study_id: int,
    trial_id: int,
    state: State,
    reason: str | None,
    seconds: float = 0.0,
    violation: float = 0.0,
) -> None:
    """Finish a running trial, next in commit order, and drop its claim if it has one."""
    if state is State.RUNNING:
        raise ValueError("a trial does not end as running")
    last = connection.scalar(
        select(func.max(trials.c.finish_order)).where(trials.c.study_id == study_id)
    )
    connection.execute(
        update(trials)
        .where(trials.c.id == trial_id)
        .values(
            state=state,
            # Servers refuse the character that ends a text in C.
            reason=reason and reason.replace("\0", ""),
            seconds=seconds,
            violation=violation,
            finish_order=(last or 0) + 1,
            finished=now(),
        )
    )
    connection.execute(delete(claims_table).where(claims_table.c.trial_id == trial_id))


def take_over(
    connection: Connection, *, study_id: int, owner: Owner, living: Callable[[Owner], bool]
) -> tuple[int, str] | None:
    """Row and new token of the first trial whose owner is dead; gives up hopeless ones."""
    for claim in claims.of_study(connection, study_id=study_id, living=living):
        if claim.alive:
            continue
        token = claims.pass_on(connection, claim=claim, owner=owner)
        if token is not None:
            return claim.trial_id, token
        end(
            connection,
            study_id=study_id,
            trial_id=claim.trial_id,
            state=State.CRASHED,
            reason=f"its process died {claim.fruitless} times without a new checkpoint, "
            f"last {claim.owner}",
        )
    return None


def _objectives(connection: Connection, study_id: int) -> dict[str, str]:
    of_study = select(studies.c.objectives).where(studies.c.id == study_id)
    return dict(connection.execute(of_study).scalar_one())


def _write_values(
    connection: Connection,
    *,
    trial: Row[Any],
    objectives: Mapping[str, str],
    rows: Mapping[str, Row[Any]],
) -> None:
    """`rows`: objective to the stored measurement."""
    if set(rows) != set(objectives):
        raise ValueError(f"a complete trial needs {sorted(objectives)}, not {sorted(rows)}")
    for position, (objective, goal) in enumerate(objectives.items()):
        kept = rows[objective]
        value = Value(value=kept.value, low=kept.low, high=kept.high)
        connection.execute(
            insert(trial_values).values(
                trial_id=trial.id,
                objective=objective,
                study_id=trial.study_id,
                position=position,
                measurement_id=kept.id,
                **samples.columns(value, goal=goal),
            )
        )
