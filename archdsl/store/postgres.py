"""PostgreSQL: one server for the searches of several machines.

Writers wait for each other, as they do on SQLite: a writing transaction begins by taking one
advisory lock, which belongs to the schema it works in and ends with the transaction. A transaction
is some milliseconds, so one at a time is enough for hundreds of commits per second, and there is
no statement that would have to be tried again. Readers wait for nobody: they see one snapshot.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, create_engine, event

from archdsl.errors import StoreError
from archdsl.store.engines import Engines, json_text
from archdsl.store.failures import BUSY_SECONDS
from archdsl.store.liveness import Liveness

_IDLE_SECONDS = BUSY_SECONDS / 2
"""A writer that says nothing for so long (its machine is lost) is not waited for any more."""

# Without these, a search would wait for hours on a server whose machine was lost.
_CONNECTION = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}

# READ COMMITTED: each statement sees what was committed before it, and so, once the lock is held,
# all there is. A snapshot would be as old as the wait for the lock.
_BEGIN_WRITING = f"""
SET LOCAL lock_timeout = '{BUSY_SECONDS:.0f}s';
SET LOCAL idle_in_transaction_session_timeout = '{_IDLE_SECONDS:.0f}s';
SELECT pg_advisory_xact_lock(hashtext('archdsl'), hashtext(current_schema()))
"""


def engines_of(url: URL, *, place: str) -> Engines:
    """Transactions on a server; nothing is sent to it yet.

    Args:
        url: with what it says of the connection itself going before our own words.
        place: what messages call the database.

    Raises:
        StoreError: the driver is not installed.
    """
    ours = {name: value for name, value in _CONNECTION.items() if name not in url.query}
    try:
        engine = create_engine(
            url,
            connect_args=ours,
            isolation_level="READ COMMITTED",
            # A server that was started anew between two transactions costs nothing but a moment.
            pool_pre_ping=True,
            json_serializer=json_text,
        )
        from archdsl.store.patience import PatientConnection
    except ImportError as error:
        raise StoreError(
            f"{place} needs a driver that is not installed ({str(error).splitlines()[0]}): "
            "pip install 'archdsl[postgres]', or say a file with --db archdsl.db"
        ) from None

    @event.listens_for(engine, "do_connect")
    def connect(_: object, __: object, arguments: Any, words: Any) -> PatientConnection:
        return PatientConnection.connect(*arguments, **words)

    reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    writer = engine.execution_options()

    @event.listens_for(writer, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(_BEGIN_WRITING)

    liveness = Liveness(engine=engine.execution_options(isolation_level="AUTOCOMMIT"))
    return Engines(reader=reader, writer=writer, liveness=liveness)
