"""What the database says when it fails, in words a user can act on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from archdsl.errors import StoreError

BUSY_SECONDS = 30.0
"""How long a transaction waits for another process's to end."""

_DAMAGED = (
    "is damaged or cut short; nothing was changed: bring back a copy, "
    "or save what is left with `sqlite3 FILE .recover`"
)
_MEANINGS = {
    "file is not a database": "is not a database; nothing was changed: say another --db",
    "file is encrypted": "is not a database; nothing was changed: say another --db",
    "malformed": _DAMAGED,
    "disk is full": "the disk is full; what was committed is safe: make room, then run this again",
    "readonly database": "is read-only; mend its permissions, or say another --db",
    "database is locked": (
        f"another process has held it for over {BUSY_SECONDS:.0f} s; end that one, or wait"
    ),
    "unable to open": "cannot be opened; look at the permissions of the file and of its folder",
    "disk I/O error": "the disk does not answer; what was committed is safe: look after the disk",
}


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Turn every error of SQLAlchemy and SQLite into one `StoreError` that names `place`."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        for fragment, meaning in _MEANINGS.items():
            if fragment in cause:
                raise StoreError(f"database {place}: {meaning} ({cause})") from error
        raise StoreError(f"database {place}: {cause}") from error
