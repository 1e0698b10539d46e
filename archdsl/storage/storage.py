"""Where trainings keep their files: one protocol for a folder and for a URL."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Protocol, TypeVar

from archdsl.storage.folder import Folder

Parsed = TypeVar("Parsed")
_FOLDERS = ("file", "local")


class Storage(Protocol):
    """Files by name in one place, which is made when something is written.

    Raises:
        WriteError: in `write`, `check`, and at a URL in all methods: the place does not answer, or
            refuses, or is full.
    """

    @property
    def replaces_whole(self) -> bool:
        """Whether `write` leaves the file that was there until the new one is there whole.

        Elsewhere a write that is cut short may leave half a file.
        """

    def __str__(self) -> str:
        """An absolute path, or a URL."""

    def __truediv__(self, name: str) -> Storage:
        """A folder inside this one."""

    def write(self, name: str, fill: Callable[[BinaryIO], object]) -> None:
        """Write or replace a file; on return it is there whole, and survives a power cut.

        Args:
            fill: writes the content to the stream it is given, which may not be able to seek. At a
                URL it is called once more, with another stream, where the first attempt failed.
        """

    def read(self, name: str, parse: Callable[[BinaryIO], Parsed]) -> Parsed | None:
        """What `parse` makes of a file's content; None where there is no such file.

        Args:
            parse: reads the stream it is given, which can seek.
        """

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    def check(self) -> None:
        """Write something and remove it, as trainings will. A missing folder is not made yet."""


def storage_at(place: str) -> Storage:
    """What a run profile's `storage` names; `file://` URLs are folders like any other."""
    protocol, separator, _ = place.partition("://")
    if not separator:
        return Folder(place)
    # Only here: fsspec takes longer to import than folders take altogether.
    from fsspec.core import strip_protocol

    from archdsl.storage.remote import RemoteFolder

    return Folder(strip_protocol(place)) if protocol in _FOLDERS else RemoteFolder(place)
