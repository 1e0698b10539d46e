"""Architectures: found by identity or the beginning of one, added when new."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from archdsl.errors import StoreError
from archdsl.store.database import Database
from archdsl.store.rows import Architecture, Described
from archdsl.store.tables import architectures, record_of, trials


@dataclass(frozen=True, kw_only=True)
class Architectures:
    """All architectures of a database, whichever studies met them."""

    database: Database

    def find(self, prefix: str) -> Architecture:
        """The one architecture whose identity begins with `prefix`.

        Raises:
            StoreError: there is none, or more than one.
        """
        wanted = prefix.strip().lower()
        column = architectures.c.arch_id
        with self.database.read() as connection:
            found = [wanted] if has_architecture(connection, wanted) else []
            if wanted and not found:
                begins = column.startswith(wanted, autoescape=True)
                found = list(
                    connection.scalars(select(column).where(begins).order_by(column).limit(6))
                )
            if not found:
                raise StoreError(
                    f"{self.database.place} holds no architecture {prefix!r}; "
                    "`archdsl front` lists what it holds"
                )
            if len(found) > 1:
                shown = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
                raise StoreError(
                    f"{prefix!r} begins several architectures: {shown}; say more of it"
                )
            row = connection.execute(select(architectures).where(column == found[0])).one()
        return record_of(Architecture, row)

    def of_study(self, study_id: int) -> dict[str, Described]:
        """Identity to architecture, of all trials of a study."""
        columns = (architectures.c.arch_id, architectures.c.spec, architectures.c.facts)
        with self.database.read() as connection:
            rows = connection.execute(
                select(*columns)
                .join(trials, trials.c.arch_id == architectures.c.arch_id)
                .where(trials.c.study_id == study_id)
            )
            return {row.arch_id: record_of(Described, row) for row in rows}

    def models(self) -> dict[str, Described]:
        """Identity to architecture, of all models of the database."""
        columns = (architectures.c.arch_id, architectures.c.spec, architectures.c.facts)
        with self.database.read() as connection:
            rows = connection.execute(select(*columns).where(architectures.c.kind == "model"))
            return {row.arch_id: record_of(Described, row) for row in rows}


def add_architecture(connection: Connection, architecture: Architecture) -> None:
    """Does nothing when it is there already: equal identities have equal plans."""
    if not has_architecture(connection, architecture.arch_id):
        documents = {name: dict(getattr(architecture, name)) for name in ("spec", "plan", "facts")}
        connection.execute(insert(architectures), vars(architecture) | documents)


def has_architecture(connection: Connection, arch_id: str) -> bool:
    column = architectures.c.arch_id
    return connection.execute(select(column).where(column == arch_id)).first() is not None
