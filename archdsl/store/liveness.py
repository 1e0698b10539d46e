"""Liveness: how a PostgreSQL server knows that a process on any machine still runs.

A process that holds a claim keeps one session beside its transactions, and in it a shared advisory
lock whose key is made of its owner and the schema. The server drops the lock when the session ends:
at once when the process dies, after about a minute when its machine is lost. Nobody holds the key,
so nobody is there.
"""

from __future__ import annotations

import select
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from archdsl.store.failures import BUSY_SECONDS
from archdsl.store.owner import Owner

_RETURN_SECONDS = 600.0
"""A server that was started anew has ended every session: so long its absent are waited for."""

# Keepalives from the server's side are what ends the session of a lost machine: 30 + 3 * 10 s.
_SETTINGS = f"""
SET tcp_keepalives_idle = 30;
SET tcp_keepalives_interval = 10;
SET tcp_keepalives_count = 3;
SET lock_timeout = '{BUSY_SECONDS:.0f}s';
SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'
"""
_KEY = "hashtextextended(current_schema() || ' ' || :owner, 0)"
# Shared, so that a session made anew need not wait for the server to miss the one before it.
_HOLD = text(f"SELECT pg_advisory_lock_shared({_KEY})")
_SEES = text(
    f"SELECT NOT pg_try_advisory_xact_lock({_KEY})"
    " OR clock_timestamp() < pg_postmaster_start_time() + make_interval(secs => :wait)"
)


class Liveness:
    """The session of this process, made when it is first needed.

    Args:
        engine: where it comes from; its transactions are none (autocommit).
    """

    def __init__(self, *, engine: Engine) -> None:
        self._engine = engine
        self._session: Connection | None = None
        self._owners: set[Owner] = set()

    def keep(self, owner: Owner | None = None) -> None:
        """Make the session, or make it anew after the server ended it; else some microseconds.

        Args:
            owner: somebody who is about to be given a claim.
        """
        wanted = self._owners | ({owner} if owner else set())
        if wanted == self._owners and (not wanted or self._lives()):
            return
        session = self._begin(wanted)
        self.close()
        self._session, self._owners = session, wanted

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None

    def _begin(self, owners: set[Owner]) -> Connection:
        session = self._engine.connect()
        session.detach()  # in the pool its locks would live on
        try:
            session.exec_driver_sql(_SETTINGS)
            for owner in owners:
                session.execute(_HOLD, {"owner": _name(owner)})
        except BaseException:
            session.close()
            raise
        return session

    def _lives(self) -> bool:
        if self._session is None or self._session.invalidated:
            return False
        driver: Any = self._session.connection.dbapi_connection
        # A session that was asked nothing is told nothing, but for its end and some rare notices.
        poll = select.poll()
        poll.register(driver.pgconn.socket, select.POLLIN)
        if not poll.poll(0):
            return True
        try:
            self._session.exec_driver_sql("SELECT 1")
        except SQLAlchemyError:
            return False
        return True


def sees(connection: Connection, owner: Owner) -> bool:
    """Whether `owner` is present, or was perhaps not able to be since the server was started.

    Whoever asks holds the key till the end of the transaction. Of two who ask at once the second
    is told that the owner is there, and the first sees to its trials.
    """
    answer = connection.execute(_SEES, {"owner": _name(owner), "wait": _RETURN_SECONDS})
    return bool(answer.scalar_one())


def _name(owner: Owner) -> str:
    return f"{owner.host} {owner.boot_id} {owner.pid} {owner.process_start}"
