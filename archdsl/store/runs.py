"""Trainings outside studies: one row for each, by what decides it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, select, update

from archdsl.store.architectures import add_architecture
from archdsl.store.damage import Within
from archdsl.store.database import Database
from archdsl.store.rows import Architecture, NewRun, Run
from archdsl.store.tables import now, record_of, runs


@dataclass(frozen=True, kw_only=True)
class Runs:
    """Finished trainings that no study made."""

    database: Database

    def add(self, architecture: Architecture, run: NewRun) -> None:
        """Keep a training; of one that is there already its place is changed.

        Args:
            architecture: added unless it is there.
            run: its parent is the one whose weights it began with, if that is there.
        """
        with self.database.write() as connection:
            add_architecture(connection, architecture)
            values = {name: value for name, value in vars(run).items() if name != "begun_with"}
            of_parent = select(runs.c.id).where(runs.c.weights_digest == run.begun_with)
            row = {
                **values,
                "arch_id": architecture.arch_id,
                "parent_id": connection.scalar(of_parent.order_by(runs.c.id).limit(1)),
                "created": now(),
            }
            mine = runs.c.key == run.key
            if connection.execute(select(runs.c.id).where(mine)).first():
                connection.execute(update(runs).where(mine).values(**row))
            else:
                connection.execute(insert(runs).values(**row))

    def find(self, key: str) -> Run | None:
        """The training of a key."""
        with self.database.read() as connection:
            row = connection.execute(select(runs).where(runs.c.key == key)).one_or_none()
            return None if row is None else record_of(Run, row)

    def all(self) -> list[Run]:
        """Oldest first.

        Raises:
            DamagedError: something else than archdsl wrote one.
        """
        self.database.refuse_damaged(Within(table=runs))
        with self.database.read() as connection:
            rows = connection.execute(select(runs).order_by(runs.c.id))
            return [record_of(Run, row) for row in rows]
