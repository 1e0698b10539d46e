"""A folder of this machine, or of a disk that several machines share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, TypeVar

from archdsl.files import not_written, replace_file

Parsed = TypeVar("Parsed")


class Folder:
    """A folder; see `archdsl.storage.storage.Storage`.

    A file is written beside its place, flushed to disk, and then renamed.

    Args:
        path: a relative one starts at the current folder of now.
    """

    replaces_whole = True

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path).absolute()

    def __str__(self) -> str:
        return str(self._path)

    def __truediv__(self, name: str) -> Folder:
        return Folder(self._path / name)

    def write(self, name: str, fill: Callable[[BinaryIO], object]) -> None:
        target = self._path / name

        def fill_disk(stream: BinaryIO) -> None:
            fill(stream)
            stream.flush()
            os.fsync(stream.fileno())

        try:
            self._path.mkdir(parents=True, exist_ok=True)
            # One name for all attempts: what a killed process leaves is replaced by the next.
            replace_file(target, fill_disk, draft=target.with_name(f"{name}.tmp"))
            _flush(self._path)
        except OSError as error:
            raise not_written(target, error) from None

    def read(self, name: str, parse: Callable[[BinaryIO], Parsed]) -> Parsed | None:
        try:
            stream = (self._path / name).open("rb")
        except (FileNotFoundError, NotADirectoryError):
            return None
        with stream:
            return parse(stream)

    def remove(self, name: str) -> None:
        (self._path / name).unlink(missing_ok=True)

    def check(self) -> None:
        paths = (self._path, *self._path.parents)
        there = next(path for path in paths if os.path.lexists(path))
        try:
            with TemporaryDirectory(dir=there, prefix=".archdsl-") as folder:
                (Path(folder) / "file").write_bytes(b"archdsl")
        except OSError as error:
            raise not_written(self._path, error) from None


def _flush(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
