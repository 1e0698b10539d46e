"""Where manifests are kept from one process to the next, and who makes them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from archdsl.files import replace_file
from archdsl.training.data.manifest import ROW, Manifest

CACHE_VARIABLE = "ARCHDSL_CACHE"
"""Environment variable that names another folder for what is kept from one process to the next."""
VERSION = 1
"""Of what is kept: raised when it is read from files otherwise."""
FRESH_NS = 2 * 10**9
"""A file that was changed this shortly before it was read may be changed again without a trace."""
UNREAD = -1
"""The time of a row whose file is yet to be read."""


def cache_folder() -> Path:
    """Where what can be found out again is kept: `$ARCHDSL_CACHE`, else the user's own cache."""
    given = os.environ.get(CACHE_VARIABLE)
    if given:
        return Path(given)
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(home) / "archdsl" if home else Path("~/.cache/archdsl").expanduser()


def kept_at(root: Path) -> Path | None:
    """The file of a folder's manifest; None where nothing can be kept."""
    try:
        folder = cache_folder() / "manifests"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # nothing can be written there, or nobody's home is known
        return None
    return folder / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:32]}.npz"


@contextmanager
def alone(kept: Path | None) -> Iterator[None]:
    """While one process of this machine reads a folder, others that ask for it wait."""
    if kept is None:
        yield
        return
    try:
        descriptor = os.open(kept.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        with suppress(OSError):  # a file system without locks: each reads for itself
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def load(kept: Path | None) -> Manifest | None:
    """What was kept, if it can be read and is of this version."""
    if kept is None:
        return None
    try:
        with kept.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if int(arrays["version"]) != VERSION:
                return None
            text, ends, rows = arrays["text"].tobytes(), arrays["ends"], arrays["rows"]
    except Exception:  # whatever a damaged file makes of the reader, it is made anew
        return None
    whole = rows.dtype == ROW and len(rows) == len(ends) and len(text) == (ends[-1:] or [0])[0]
    return Manifest(root=Path(), text=text, ends=ends, rows=rows) if whole else None


def save(listed: Manifest, kept: Path | None) -> None:
    """Keep the rows, but those of files that may be changed again in the same instant."""
    if kept is None:
        return
    times = listed.rows["changed"]
    fresh = np.flatnonzero(times > time.time_ns() - FRESH_NS)
    before = times[fresh]
    times[fresh] = UNREAD
    text = np.frombuffer(listed.text, np.uint8)
    with suppress(OSError):  # then it is read again next time
        replace_file(
            kept,
            lambda stream: np.savez(
                stream, version=VERSION, text=text, ends=listed.ends, rows=listed.rows
            ),
            draft=kept.with_suffix(f".{os.getpid()}.tmp"),
        )
    times[fresh] = before
