"""The file of an open database: whether its name still leads to it, and saving what it held.

On Unix a file that was removed, moved or replaced lives on for whoever has it open, and SQLite
goes on writing to it. Its log, which SQLite finds by name, would then be read into whatever file
takes its place.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from tempfile import gettempdir

from archdsl.errors import StoreError

Identity = tuple[int, int] | None
"""Device and number of a file; None where there is none."""


class OpenFile:
    """One database's file and log, held open by a connection of its own.

    Args:
        path: of the file, which is there.

    Raises:
        sqlite3.Error: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keeper = sqlite3.connect(
            f"{path.as_uri()}?mode=rw", uri=True, check_same_thread=False, isolation_level=None
        )
        self._keeper.execute("SELECT 1 FROM sqlite_master")  # opens the log, too
        self._log = Path(f"{path}-wal")
        self._own = {each: _identity(each) for each in (path, self._log, Path(f"{path}-shm"))}

    def check(self) -> None:
        """
        Raises:
            StoreError: the file or its log is not in its place any more.
        """
        if found := self._loss():
            raise StoreError(f"database {self._path}: {found}; close it, and what it held is saved")

    def close(self) -> None:
        """
        Raises:
            StoreError: as `check`; says where everything that was committed has been saved.
        """
        found = self._loss()
        with closing(self._keeper):
            if found is None:
                return
            saved = self._save()
        # Left beside another database, our log would be read into that.
        if _identity(self._path) != self._own[self._path]:
            for beside, own in self._own.items():
                if beside != self._path and own is not None and _identity(beside) == own:
                    beside.unlink()
        raise StoreError(f"database {self._path}: {found}; {saved}")

    def _loss(self) -> str | None:
        now = _identity(self._path)
        if now is None:
            return "it was removed or moved while it was open"
        if now != self._own[self._path]:
            return "another file was put in its place while it was open, and was left as it is"
        if _identity(self._log) != self._own[self._log]:
            return "its log (-wal) was removed or replaced while it was open"
        return None

    def _save(self) -> str:
        """Copy all there is into a new file, as near as it can be; says where, or why not."""
        reason = ""
        for folder in (self._path.parent, Path.cwd(), Path(gettempdir())):
            try:
                path = _new_file(folder, self._path)
                with closing(sqlite3.connect(path)) as copy:
                    self._keeper.backup(copy)
            except (OSError, sqlite3.Error) as error:
                reason = reason or str(error)
                continue
            return f"all that it held is saved in {path}: the same command goes on with --db {path}"
        return f"what it held could not be saved ({reason})"


def _identity(path: Path) -> Identity:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _new_file(folder: Path, lost: Path) -> Path:
    for number in count(1):
        path = folder / f"{lost.stem}-saved-{number}{lost.suffix}"
        with suppress(FileExistsError):
            path.touch(exist_ok=False)
            return path
    raise AssertionError
