"""An open database: how it is opened, and its transactions.

SQLite runs in WAL mode with foreign keys and `synchronous = FULL`: a committed transaction is on
disk. Writers take the lock at the start of their transaction (`BEGIN IMMEDIATE`) and wait for each
other, so several processes never see a lock error. PostgreSQL gets the same statements.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from archdsl.errors import StoreError
from archdsl.records import Json
from archdsl.store.errors import NoDatabaseError
from archdsl.store.failures import BUSY_SECONDS, explained
from archdsl.store.location import Location, check_file, locate
from archdsl.store.schema import is_current, present_revision, upgrade

_WRITES = "archdsl_writes"


class Database:
    """Transactions on one database. Made by `open_database`.

    Args:
        engine: where connections come from.
        location: what messages call the database.
        read_only: refuses every write.
    """

    def __init__(self, *, engine: Engine, location: Location, read_only: bool) -> None:
        self.location = location
        self.read_only = read_only
        self._engine = engine
        self._writer = engine.execution_options(**{_WRITES: True})

    @property
    def is_local_file(self) -> bool:
        return self.location.path is not None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database, whatever others commit meanwhile."""
        with explained(str(self.location)), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that no other process's changes can come between."""
        if self.read_only:
            raise StoreError(f"database {self.location} was opened for reading only")
        with explained(str(self.location)), self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        self._engine.dispose()


def open_database(text: str, *, create: bool, read_only: bool) -> Database:
    """Open, and where needed make or upgrade, the database that `text` names.

    Raises:
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
    database = _open_for_reading(location)
    try:
        with database.read() as connection:
            revision = present_revision(connection, place=str(location))
        if revision is None:
            raise NoDatabaseError(_empty(location))
        if not is_current(revision):
            # Only the tables of this version can be read, so an old database is upgraded first.
            open_database(text, create=False, read_only=False).close()
    except BaseException:
        database.close()
        raise
    return database


def _open_writable(location: Location, *, create: bool) -> Database:
    database = Database(
        engine=_engine(location, "rwc" if create else "rw"), location=location, read_only=False
    )
    try:
        with database.read() as connection:
            revision = present_revision(connection, place=str(location))
        if revision is None and not create:
            raise NoDatabaseError(_empty(location))
        # Not before the database is known to be ours, as this changes the file.
        if location.path is not None:
            with explained(str(location)):
                _use_wal(database._engine)
        if not is_current(revision):
            with database.write() as connection:
                upgrade(connection)
    except BaseException:
        database.close()
        raise
    return database


def _open_for_reading(location: Location) -> Database:
    database = Database(engine=_engine(location, "ro"), location=location, read_only=True)
    path = location.path
    if path is None:
        return database
    try:
        with database._engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1 FROM sqlite_master")
        return database
    except SQLAlchemyError as error:
        database.close()
        log = Path(f"{path}-wal")
        cannot_share = "unable to open" in str(error) or "readonly database" in str(error)
        if not cannot_share or (log.exists() and log.stat().st_size):
            # A log that cannot be read along would silently be missing from what is read.
            with explained(str(location)):
                raise
    # In a folder where nothing can be written SQLite cannot set up its shared memory; nobody
    # writes there either, so the file may be read as it stands.
    return Database(engine=_engine(location, "ro&immutable=1"), location=location, read_only=True)


def _empty(location: Location) -> str:
    return f"database {location} is empty; `archdsl search` fills one, or say another --db"


def _engine(location: Location, mode: str) -> Engine:
    """`mode`: how SQLite opens the file (`rwc`, `rw`, `ro`); a server knows no such thing."""
    if location.path is None:
        return _server_engine(location)
    address = f"{location.path.as_uri()}?mode={mode}"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            address,
            uri=True,
            timeout=BUSY_SECONDS,
            check_same_thread=False,
            # Transactions begin where we say so, not where the driver guesses.
            isolation_level=None,
        )
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    engine = create_engine(location.url, creator=connect, json_serializer=_json_text)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _server_engine(location: Location) -> Engine:
    try:
        return create_engine(location.url, json_serializer=_json_text)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise StoreError(
            f"no driver for {location} is installed ({error}); install it with pip, "
            "or say a file with --db archdsl.db"
        ) from None


def _json_text(value: Json) -> str:
    return json.dumps(value, allow_nan=False)


def _use_wal(engine: Engine) -> None:
    """Turn on write-ahead logging, which stays with the file.

    Two processes that do this at once block each other without waiting, so it is tried again.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    connection: Any = engine.raw_connection()
    try:
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
    finally:
        connection.close()
