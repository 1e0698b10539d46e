"""Where the bytes of a picture lie: a file of its own, or a stretch of a larger one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TypeAlias


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A stretch of a file, which is read as a file of its own would be.

    Args:
        name: what it is called: the file, and what the picture is called within.
        file: holds it.
        offset: where it begins.
        size: bytes.
    """

    name: PurePath
    file: Path
    offset: int
    size: int

    def __str__(self) -> str:
        return str(self.name)

    @property
    def suffix(self) -> str:
        return self.name.suffix

    def read_bytes(self) -> bytes:
        with self.file.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


Place: TypeAlias = Path | Member
