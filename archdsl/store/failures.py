"""What a database says when it fails, in words a user can act on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from archdsl.errors import StoreError
from archdsl.store.errors import NoServerError

BUSY_SECONDS = 30.0
"""How long a transaction waits for another process's to end."""

_DAMAGED = (
    "is damaged or cut short; nothing was changed: bring back a copy, "
    "or save what is left with `sqlite3 FILE .recover`"
)
_BUSY = f"another process has held it for over {BUSY_SECONDS:.0f} s; end that one, or wait"
_FULL = "the disk is full; what was committed is safe: make room, then run this again"
_AGAIN = "what was committed is safe: run this again"

_OF_SQLITE = {
    "file is not a database": "is not a database; nothing was changed: say another --db",
    "file is encrypted": "is not a database; nothing was changed: say another --db",
    "malformed": _DAMAGED,
    "disk is full": _FULL,
    "readonly database": "is read-only; mend its permissions, or say another --db",
    "database is locked": _BUSY,
    "unable to open": "cannot be opened; look at the permissions of the file and of its folder",
    "disk I/O error": "the disk does not answer; what was committed is safe: look after the disk",
}

_NO_ANSWER = "no server answers there; start it, or correct host and port in --db"
_LOST = f"the server ended the connection; {_AGAIN}"
_SILENT = f"the server is busy or stopped, or its machine is lost; {_AGAIN}"
_ENDING = "the server is just ending; start it, and run this again"
_STARTING = "the server is just starting; run this again in a moment"
_ABSENT = (_NO_ANSWER, _LOST, _SILENT, _ENDING, _STARTING)
"""What a server may get over."""
# Of a refused connection the driver gives the server's sentence alone, without its code.
_OF_CONNECTIONS = {
    "Connection refused": _NO_ANSWER,
    "No such file or directory": _NO_ANSWER,
    "timeout expired": _NO_ANSWER,
    "No route to host": _NO_ANSWER,
    "Network is unreachable": _NO_ANSWER,
    "resolve host": "there is no such host; correct it in --db",
    "translate host": "there is no such host; correct it in --db",
    "password authentication failed": (
        "user or password is wrong; correct them in --db, or keep the password in ~/.pgpass"
    ),
    "no password supplied": "it asks for a password; put it into --db, or into ~/.pgpass",
    "no pg_hba.conf entry": "the server lets this user not in from here; change its pg_hba.conf",
    "does not exist": "there is no such database or user; correct --db, or make it there",
    "permission denied": "this user may not connect to it; grant CONNECT, or say another --db",
    "too many": "the server has no connection left; end some, or raise its max_connections",
    "connection slots": "the server has no connection left; end some, or raise its max_connections",
    "shutting down": _ENDING,
    "starting up": _STARTING,
    "no answer since": _SILENT,
    "invalid connection option": "correct the words behind the ? of --db",
    "server closed the connection": _LOST,
    "connection is lost": _LOST,
}
_OF_STATES = {
    "22001": "a name is longer than the database keeps; shorten it",
    "25006": "it takes no writes (a standby?); name the primary server in --db",
    "25P03": f"this process stood still in the middle of a transaction; {_AGAIN}",
    "3F000": "it has no schema to work in; make it with CREATE SCHEMA, or correct search_path",
    "40P01": f"two processes waited for each other; {_AGAIN}",
    "42501": "this user may not do that; let it own the database, or grant it CREATE on the schema",
    "53100": _FULL,
    "55P03": _BUSY,
    "57P01": _LOST,
    "57P02": _LOST,
}


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Turn every error of SQLAlchemy and of a driver into one `StoreError` that names `place`."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        origin, cause, meaning = _understood(error)
        text = f"{meaning} ({cause})" if meaning else cause
        refused = getattr(origin, "sqlstate", "") is None
        kind = NoServerError if refused else StoreError
        raise kind(f"database {place}: {text}") from error


def is_absence(error: SQLAlchemyError) -> bool:
    """Whether a database server is away, and perhaps only for a while."""
    return _understood(error)[2] in _ABSENT


def _understood(error: BaseException) -> tuple[BaseException, str, str | None]:
    """What a driver raised, its first line, and what that means."""
    origin: BaseException = getattr(error, "orig", None) or error
    cause = str(origin).splitlines()[0]
    return origin, cause, _meaning(origin, cause)


def _meaning(origin: BaseException, cause: str) -> str | None:
    if not hasattr(origin, "sqlstate"):
        return _found(_OF_SQLITE, cause)
    if origin.sqlstate is None:
        return _found(_OF_CONNECTIONS, cause)
    return _OF_STATES.get(origin.sqlstate)


def _found(meanings: Mapping[str, str], cause: str) -> str | None:
    return next((meaning for words, meaning in meanings.items() if words in cause), None)
