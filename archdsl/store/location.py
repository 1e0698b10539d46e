"""Where a database is: a URL or a path, checked before anything is opened."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from archdsl.document.masking import SECRET_WORD, masked
from archdsl.errors import StoreError
from archdsl.files import in_use
from archdsl.store.errors import NoDatabaseError

_EXAMPLE = (
    "say a file (archdsl.db, sqlite:///archdsl.db) or a PostgreSQL server "
    "(postgresql://user@host/database)"
)
_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+]+:")  # two letters at least: `C:` is a drive
_LAST_PORT = 65_535
_NO_FILE = ("-", ":memory:")
"""What elsewhere stands for a pipe, and for a database that is lost at the end."""
_PARTS = ("-wal", "-shm", "-journal")
"""Ends of the names of the files that SQLite keeps beside a database."""
_MISTYPED = re.compile(
    r"\s+[a-z][\w+]*:|postgres\w*(\+\w+)?(:(?!//)|[;\\]|//)|//[^/]*@|[^/\\]*:[^/\\]*@"
    r"|([^/]*\s)?(host|hostaddr|port|dbname|user|password|service)\s*=",
    re.IGNORECASE,
)
"""What was meant for a server, and would be taken for the name of a file."""
_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\w*|9p|afs|ceph|lustre|gpfs|beegfs|glusterfs|pvfs2|orangefs|ncpfs"
    r"|fuse\.(sshfs|glusterfs|cephfs|cephfs-fuse|ceph-fuse|s3fs|gcsfuse|rclone|juicefs)"
)


@dataclass(frozen=True, kw_only=True)
class Location:
    """One database.

    Args:
        url: for SQLAlchemy.
        path: the file, absolute; None for a database server.
    """

    url: URL
    path: Path | None

    @property
    def folder(self) -> Path | None:
        """That the file lies in; None for a database server."""
        return None if self.path is None else self.path.parent

    def is_same(self, other: Location) -> bool:
        """Whether it is the same database, by whatever name; both are there."""
        if self.path is None or other.path is None:
            return self == other
        return self.path.samefile(other.path)

    def __str__(self) -> str:
        """Without any password."""
        if self.path:
            return str(self.path)
        secret = [name for name in self.url.query if SECRET_WORD.search(name)]
        plain = self.url.set(drivername=self.url.get_backend_name()).difference_update_query(secret)
        return plain.render_as_string(hide_password=True)


def locate(text: str) -> Location:
    """Read a URL or a plain file path.

    Raises:
        StoreError: it is neither, names no file, or a kind of database that is not supported.
    """
    if not text.strip():
        raise StoreError(f"the database has an empty name; {_EXAMPLE}")
    if text in _NO_FILE:
        raise StoreError(f"{text!r} is no place to keep a database in; {_EXAMPLE}")
    if _MISTYPED.match(text):
        raise StoreError(f"{masked(text)!r} is not a database URL; {_EXAMPLE}")
    if not _SCHEME.match(text):
        return _file(text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise StoreError(f"{masked(text)!r} is not a database URL; {_EXAMPLE}") from None
    return _sqlite(text, url) if url.get_backend_name() == "sqlite" else _server(text, url)


def shown(text: str) -> str:
    """A path or URL as a person wrote it, without any password.

    Raises:
        StoreError: as `locate`.
    """
    location = locate(text)
    return text if location.path else str(location)


def keep_apart(location: Location) -> None:
    """Say that a database's files are in use, so that none of the command's outputs is one."""
    if location.path is not None:
        in_use(location.path, f"the database {location.path}")
        for end in _PARTS:
            in_use(Path(f"{location.path}{end}"), f"part of the database {location.path}")


def is_new_file(text: str) -> bool:
    """Whether a database would be a file that is not there yet.

    Raises:
        StoreError: as `locate`, or no such file can be made.
    """
    path = locate(text).path
    if path is None or path.exists():
        return False
    check_file(path, create=True, read_only=False)
    return True


def _server(text: str, url: URL) -> Location:
    if "@" in f"{url.host}{url.database}":
        raise StoreError(
            f"{masked(text)!r} is unclear: write every @ but the one before the host as %40"
        )
    if url.port and url.port > _LAST_PORT:  # a password whose `@` is missing
        raise StoreError(f"{masked(text)!r} is not a database URL; {_EXAMPLE}")
    if url.drivername not in _POSTGRES:
        raise StoreError(
            f"{masked(text)!r} is not supported: archdsl is tested with SQLite and with "
            f"PostgreSQL by way of psycopg; {_EXAMPLE}"
        )
    return Location(url=url.set(drivername="postgresql+psycopg"), path=None)


def _sqlite(text: str, url: URL) -> Location:
    if url.host:
        raise StoreError(
            f"{masked(text)!r} names no file: a path follows three slashes, sqlite:///{url.host}"
        )
    if url.get_driver_name() != "pysqlite" or "?" in text:
        raise StoreError(
            f"{masked(text)!r} has a driver or options that are not supported; {_EXAMPLE}"
        )
    if not url.database or url.database == ":memory:":
        raise StoreError(
            f"{masked(text)!r} lives in memory and would be lost at the end; {_EXAMPLE}"
        )
    return _file(url.database)


def _file(name: str) -> Location:
    # The real path: two names of one file must share one log, which SQLite puts beside the name.
    try:
        path = Path(name).expanduser().resolve()
    except RuntimeError:  # of links that lead to each other, and of a home that is not known
        raise StoreError(
            f"{name} leads nowhere: a symbolic link to itself, or the home of a user who is not "
            "known; say another --db"
        ) from None
    return Location(url=URL.create("sqlite", database=str(path)), path=path)


def check_file(path: Path, *, create: bool, read_only: bool) -> None:
    """Refuse what can be seen to be no place for a database, without opening it.

    Raises:
        StoreError: part of another database, a folder, a missing file or folder, one that cannot
            be read or written, or a network file system (for writing).
    """
    for end in _PARTS:
        whole = Path(str(path).removesuffix(end))
        if whole != path and whole.is_file():
            raise StoreError(f"{path} is part of the database {whole}; say --db {whole}")
    if path.is_dir():
        raise StoreError(f"{path} is a folder; a database is a file: try --db {path}/archdsl.db")
    if not path.parent.is_dir():
        raise StoreError(f"there is no folder {path.parent}; make it first, or say another --db")
    if path.exists() and not path.is_file():
        raise StoreError(f"{path} is not an ordinary file; say another --db")
    if not path.exists() and (read_only or not create):
        raise NoDatabaseError(
            f"there is no database {path}; `archdsl search` makes one, "
            "or name an existing one with --db"
        )
    if path.exists() and not os.access(path, os.R_OK):
        raise StoreError(f"{path} cannot be read; mend its permissions, or say another --db")
    if not read_only:
        _check_writable(path)


def _check_writable(path: Path) -> None:
    network = network_mount(path.parent)
    if network:
        kind, mount_point = network
        raise StoreError(
            f"{path} is on a network file system ({kind}, mounted at {mount_point}), where the "
            "locks and the shared memory that SQLite needs cannot be relied on; say a file on a "
            "local disk with --db, or a database server (postgresql://…)"
        )
    for place in (path.parent, path):
        if place.exists() and not os.access(place, os.W_OK):
            raise StoreError(
                f"{place} is read-only, so {path.name} cannot be written; "
                "mend its permissions, or say another --db"
            )


def network_mount(folder: Path, mounts: Path = Path("/proc/mounts")) -> tuple[str, str] | None:
    """The kind and the mount point of the network file system that holds `folder`, if one does.

    Where there is no table of mounts (outside Linux) the answer is None.

    Args:
        folder: any folder.
        mounts: the system's table of mounted file systems.
    """
    if not mounts.exists():
        return None
    holder = ("", "/")
    for line in mounts.read_text().splitlines():
        _, escaped, kind, *_ = line.split(" ")
        mount_point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), escaped)
        # A later mount at the same point hides an earlier one.
        if folder.is_relative_to(mount_point) and len(mount_point) >= len(holder[1]):
            holder = (kind, mount_point)
    return holder if _NETWORK.fullmatch(holder[0]) else None
