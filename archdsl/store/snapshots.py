"""How a search stands at one moment, for whoever looks on."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sqlalchemy import Connection, select

from archdsl.records import State
from archdsl.store.claims import Claim, claims_of
from archdsl.store.database import Database
from archdsl.store.epochs import epochs_of
from archdsl.store.rows import EndedTrial, RunningTrial, StudySnapshot
from archdsl.store.studies import study_of
from archdsl.store.tables import measurements, record_of, trials
from archdsl.store.trials import count_of, values_of


@dataclass(frozen=True, kw_only=True)
class Snapshots:
    """What a database says of its searches while they run."""

    database: Database

    def take(self, study_id: int, after: int = 0) -> StudySnapshot:
        """How a search stands, in one transaction that keeps no writer waiting.

        Args:
            study_id: row of the study.
            after: list the trials with a `finish_order` beyond it as ended.
        """
        with self.database.read() as connection:
            living = self.database.living(connection)
            return StudySnapshot(
                study=study_of(connection, study_id),
                counts=count_of(connection, study_id),
                running=tuple(
                    _running(connection, claim)
                    for claim in claims_of(connection, study_id=study_id, living=living)
                ),
                ended=_ended(connection, study_id=study_id, after=after),
            )


def _running(connection: Connection, claim: Claim) -> RunningTrial:
    reports = epochs_of(connection, claim.trial_id)
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
    values = values_of(connection, wanted)
    # Not the documents, decisions and attributes: of thousands of trials they take long to read.
    columns = [trials.c[each.name] for each in fields(EndedTrial) if each.name != "values"]
    rows = connection.execute(
        select(trials.c.id, *columns).where(wanted).order_by(trials.c.finish_order)
    )
    return tuple(
        record_of(
            EndedTrial,
            row,
            state=State(row.state),
            values={name: each.value for name, each in values.get(row.id, {}).items()},
        )
        for row in rows
    )
