"""The store: everything other rooms ask of the database, by what it is about."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from archdsl.store.architectures import Architectures
from archdsl.store.claims import Claims
from archdsl.store.damage import Within
from archdsl.store.database import Database, open_database
from archdsl.store.epochs import Epochs
from archdsl.store.measurements import Measurements
from archdsl.store.retries import Retries
from archdsl.store.runs import Runs
from archdsl.store.samples import Samples
from archdsl.store.snapshots import Snapshots
from archdsl.store.studies import Studies
from archdsl.store.trials import Trials


def open_store(
    url: str = "sqlite:///archdsl.db", *, create: bool = True, read_only: bool = False
) -> Store:
    """Open a database, upgrading an older schema.

    Args:
        url: the path or URL of an SQLite file, or the URL of a PostgreSQL server.
        create: make the database when there is none.
        read_only: never write to it, nor create it.

    Raises:
        StoreError: it is missing, cannot be opened, is not ours, or is of a later version.
    """
    return Store(database=open_database(url, create=create, read_only=read_only))


class Store:
    """An open database; close it, or use it in a `with`. Made by `open_store`.

    Every method of its parts is one short transaction, and every error of the database leaves as
    a `StoreError`.

    Args:
        database: an open one.
    """

    def __init__(self, *, database: Database) -> None:
        self.database = database
        self.studies = Studies(database=database)
        self.architectures = Architectures(database=database)
        self.measurements = Measurements(database=database)
        self.runs = Runs(database=database)
        self.trials = Trials(database=database)
        self.retries = Retries(database=database)
        self.claims = Claims(database=database)
        self.epochs = Epochs(database=database)
        self.samples = Samples(database=database)
        self.snapshots = Snapshots(database=database)

    def refuse_damaged(
        self, *, study_id: int | None = None, number: int | None = None, arch_id: str | None = None
    ) -> None:
        """See that the rows of a study, of its trial of a number, or of an architecture are sound.

        Raises:
            StoreError: something else than archdsl wrote them; says which, and what is wrong.
        """
        self.database.refuse_damaged(Within(study_id=study_id, number=number, arch_id=arch_id))

    @property
    def place(self) -> str:
        """What messages call the database: an absolute path, or a URL without any password."""
        return str(self.database.location)

    @property
    def folder(self) -> Path | None:
        """The folder of an SQLite file; None of a server."""
        return self.database.location.folder

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
