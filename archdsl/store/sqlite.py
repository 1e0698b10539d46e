"""SQLite: one file on this machine's own disk.

It runs in WAL mode with foreign keys and `synchronous = FULL`: a committed transaction is on disk.
Writers take the lock at the start of their transaction (`BEGIN IMMEDIATE`) and wait for each other,
so several processes never see a lock error.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from archdsl.store.engines import Engines, json_text
from archdsl.store.failures import BUSY_SECONDS, explained
from archdsl.store.location import network_mount

_WRITES = "archdsl_writes"


def engines_of(path: Path, *, mode: str, query_only: bool = False) -> Engines:
    """Transactions on a file.

    Args:
        path: the file.
        mode: how SQLite opens it: `rwc` (made when it is missing), `rw`, `ro`.
        query_only: no statement may change it.
    """
    address = f"{path.as_uri()}?mode={mode}"

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
        connection.execute(f"PRAGMA query_only = {query_only:d}")
        return connection

    engine = create_engine("sqlite://", creator=connect, json_serializer=json_text)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        driver: Any = connection.connection.dbapi_connection
        driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN")

    return Engines(reader=engine, writer=engine.execution_options(**{_WRITES: True}))


def engines_for_reading(path: Path) -> Engines:
    """Transactions that only read, also in a folder where nothing can be written.

    Raises:
        StoreError: it cannot be read.
    """
    # The log that SQLite makes beside what it reads is taken away again by the last connection that
    # could write, and by no other.
    writable = all(os.access(each, os.W_OK) for each in (path, path.parent))
    mode = "rw" if writable and network_mount(path.parent) is None else "ro"
    engines = engines_of(path, mode=mode, query_only=True)
    try:
        with engines.reader.connect() as connection:
            connection.exec_driver_sql("SELECT 1 FROM sqlite_master")
        return engines
    except SQLAlchemyError as error:
        engines.reader.dispose()
        log = Path(f"{path}-wal")
        cannot_share = "unable to open" in str(error) or "readonly database" in str(error)
        if not cannot_share or (log.exists() and log.stat().st_size):
            # A log that cannot be read along would silently be missing from what is read.
            with explained(str(path)):
                raise
    # In a folder where nothing can be written SQLite cannot set up its shared memory; nobody
    # writes there either, so the file may be read as it stands.
    return engines_of(path, mode="ro&immutable=1")


def use_wal(engines: Engines) -> None:
    """Turn on write-ahead logging, which stays with the file.

    Two processes that do this at once block each other without waiting, so it is tried again.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    connection: Any = engines.writer.raw_connection()
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
