"""Trials that have ended, and are tried again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import bindparam, select, update

from archdsl.records import State
from archdsl.store.claims import give_out
from archdsl.store.database import Database
from archdsl.store.owner import Owner
from archdsl.store.studies import refuse_working, study_of
from archdsl.store.tables import trials

_REOPEN = (
    update(trials)
    .where(trials.c.id == bindparam("trial"))
    .values(
        state=State.RUNNING,
        reason=None,
        finished=None,
        finish_order=None,
        ended_under=bindparam("under", type_=trials.c.ended_under.type),
    )
)


@dataclass(frozen=True, kw_only=True)
class Retries:
    """Trials of a database that are tried again."""

    database: Database

    def begin(self, study_id: int, states: Collection[State], *, owner: Owner) -> int:
        """Have the trials that ended in `states` tried again: they run, given back by `owner`.

        Those of a state of which some are still to be tried again stay as they are, so that whoever
        asks for the same after an interruption goes on.

        Returns:
            How many of those states are to be tried again now.

        Raises:
            StoreError: a process works on the study.
        """
        with self.database.write() as connection:
            refuse_working(self.database, connection, study_of(connection, study_id))
            columns = (trials.c.id, trials.c.state, trials.c.ended_under)
            rows = connection.execute(select(*columns).where(trials.c.study_id == study_id)).all()
            left = [row.ended_under["state"] for row in rows
                    if row.state == State.RUNNING and row.ended_under is not None]  # fmt: skip
            ended = [row for row in rows if row.state in states and row.state not in left]
            for row in ended:
                under = row.ended_under or {"state": row.state, "profile": None}
                connection.execute(_REOPEN, {"trial": row.id, "under": under})
                give_out(connection, trial_id=row.id, owner=owner)
        return len(ended) + sum(state in states for state in left)
