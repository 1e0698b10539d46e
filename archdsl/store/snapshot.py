"""How a search stands at one moment, for whoever looks on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from sqlalchemy import Connection, select

from archdsl.records import State
from archdsl.store import claims, history
from archdsl.store.owner import Owner
from archdsl.store.rows import EndedTrial, RunningTrial, StudySnapshot
from archdsl.store.studies import study_of
from archdsl.store.tables import measurements, trial_values, trials


def snapshot(
    connection: Connection, *, study_id: int, after: int, living: Callable[[Owner], bool]
) -> StudySnapshot:
    return StudySnapshot(
        study=study_of(connection, study_id),
        counts=history.count(connection, study_id=study_id),
        running=tuple(
            _running(connection, claim)
            for claim in claims.of_study(connection, study_id=study_id, living=living)
        ),
        ended=_ended(connection, study_id=study_id, after=after),
    )


def _running(connection: Connection, claim: claims.Claim) -> RunningTrial:
    reports = history.epochs(connection, trial_id=claim.trial_id)
    last = reports[-1].epoch if reports else 0
    mine = select(trials.c.arch_id).where(trials.c.id == claim.trial_id).scalar_subquery()
    return RunningTrial(
        number=claim.number,
        owner=str(claim.owner),
        alive=claim.alive,
        claimed_at=claim.claimed_at,
        measured=frozenset(
            connection.scalars(
                select(measurements.c.quantity).where(measurements.c.arch_id == mine)
            )
        ),
        epoch=last,
        reported={report.name: report.value for report in reports if report.epoch == last},
    )


def _ended(connection: Connection, *, study_id: int, after: int) -> tuple[EndedTrial, ...]:
    wanted = (trials.c.study_id == study_id) & (trials.c.finish_order > after)
    values = _values(connection, study_id=study_id, after=after)
    # Not the documents, decisions and attributes: of thousands of trials they take long to read.
    rows = connection.execute(
        select(
            trials.c.id,
            trials.c.number,
            trials.c.state,
            trials.c.counted,
            trials.c.reason,
            trials.c.seconds,
            trials.c.finish_order,
            trials.c.started,
            trials.c.finished,
        )
        .where(wanted)
        .order_by(trials.c.finish_order)
    )
    return tuple(
        EndedTrial(
            number=row.number,
            state=State(row.state),
            counted=row.counted,
            reason=row.reason,
            seconds=row.seconds,
            finish_order=row.finish_order,
            started=row.started,
            finished=row.finished,
            values=values.get(row.id, {}),
        )
        for row in rows
    )


def _values(
    connection: Connection, *, study_id: int, after: int
) -> Mapping[int, Mapping[str, float]]:
    values: dict[int, dict[str, float]] = defaultdict(dict)
    rows = connection.execute(
        select(trial_values.c.trial_id, trial_values.c.objective, trial_values.c.value)
        .join(trials, trials.c.id == trial_values.c.trial_id)
        .where(trials.c.study_id == study_id, trials.c.finish_order > after)
        .order_by(trial_values.c.trial_id, trial_values.c.position)
    )
    for row in rows:
        values[row.trial_id][row.objective] = row.value
    return values
