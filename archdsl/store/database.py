"""An open database: how it is opened, and its transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial

from sqlalchemy import Connection

from archdsl.errors import StoreError
from archdsl.store import liveness, postgres, sqlite
from archdsl.store.engines import Engines
from archdsl.store.errors import EmptyDatabaseError
from archdsl.store.failures import explained
from archdsl.store.location import Location, check_file, locate
from archdsl.store.owner import Owner, is_alive, shares_kernel
from archdsl.store.schema import is_current, present_revision, upgrade


class Database:
    """Transactions on one database. Made by `open_database`.

    Args:
        engines: where connections come from.
        location: what messages call the database.
        read_only: refuses every write.
    """

    def __init__(self, *, engines: Engines, location: Location, read_only: bool) -> None:
        self.location = location
        self.place = str(location)
        self.read_only = read_only
        self._engines = engines

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database, whatever others commit meanwhile."""
        with explained(self.place), self._engines.reader.begin() as connection:
            yield connection

    @contextmanager
    def write(self, *, claimant: Owner | None = None) -> Iterator[Connection]:
        """A transaction that no other process's changes can come between.

        Args:
            claimant: who may be given a claim in it; from now on others can tell that it runs.
        """
        if self.read_only:
            raise StoreError(f"database {self.place} was opened for reading only")
        with explained(self.place):
            if self._engines.liveness is not None:
                self._engines.liveness.keep(claimant)
            with self._engines.writer.begin() as connection:
                yield connection

    def living(self, connection: Connection) -> Callable[[Owner], bool]:
        """Whether an owner still runs, as far as can be known; for one transaction."""
        by_session = partial(liveness.sees, connection)
        elsewhere = shares_kernel if self._engines.liveness is None else by_session
        return cache(partial(is_alive, elsewhere=elsewhere))

    def revision(self) -> str | None:
        """Which schema it has; None when it is empty.

        Raises:
            StoreError: it is not ours, or of a later version.
        """
        with self.read() as connection:
            return present_revision(connection, place=self.place)

    def close(self) -> None:
        if self._engines.liveness is not None:
            self._engines.liveness.close()
        self._engines.reader.dispose()


def open_database(text: str, *, create: bool, read_only: bool) -> Database:
    """Open, and where needed make or upgrade, the database that `text` names.

    Raises:
        EmptyDatabaseError: there is nothing in it, and it is not to be made.
        StoreError: it cannot be opened, is not ours, or is of a later version.
    """
    location = locate(text)
    if location.path is not None:
        try:
            check_file(location.path, create=create, read_only=read_only)
        except OSError as error:
            raise StoreError(f"{location.path} cannot be reached: {error.strerror}") from error
    if not read_only:
        return _open_writable(location, create=create)
    engines = (
        postgres.engines_of(location.url, place=str(location))
        if location.path is None
        else sqlite.engines_for_reading(location.path)
    )
    database = Database(engines=engines, location=location, read_only=True)
    try:
        revision = database.revision()
        if revision is None:
            raise EmptyDatabaseError(str(location))
        if not is_current(revision):
            # Only the tables of this version can be read, so an old database is upgraded first.
            open_database(text, create=False, read_only=False).close()
    except BaseException:
        database.close()
        raise
    return database


def _open_writable(location: Location, *, create: bool) -> Database:
    engines = (
        postgres.engines_of(location.url, place=str(location))
        if location.path is None
        else sqlite.engines_of(location.path, create=create)
    )
    database = Database(engines=engines, location=location, read_only=False)
    try:
        revision = database.revision()
        if revision is None and not create:
            raise EmptyDatabaseError(str(location))
        # Not before the database is known to be ours, as this changes the file.
        if location.path is not None:
            with explained(str(location)):
                sqlite.use_wal(engines)
        if not is_current(revision):
            _bring_up_to_date(database)
    except BaseException:
        database.close()
        raise
    return database


def _bring_up_to_date(database: Database) -> None:
    with database.write() as connection:
        # Another process may have been quicker.
        if not is_current(present_revision(connection, place=database.place)):
            upgrade(connection)
