"""A file in the storage by which machines are asked whether they see the same one."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from archdsl.storage.storage import storage_at


@contextmanager
def marker_in(storage: str | None) -> Iterator[str | None]:
    """Leave a marker, tell where it is (an absolute path or a URL), and take it away again.

    Args:
        storage: a folder, made where it is missing, or a URL; nothing is left in None.

    Raises:
        WriteError: the storage cannot be written.
    """
    if storage is None:
        yield None
        return
    place, name = storage_at(storage), f".seen-by-all-{secrets.token_hex(8)}"
    place.check()
    place.write(name, lambda stream: stream.write(b"archdsl"))
    try:
        yield str(place / name)
    finally:
        place.remove(name)


def is_seen(marker: str) -> bool:
    """Whether this machine sees a marker.

    Raises:
        WriteError: the URL does not answer here.
    """
    folder, _, name = marker.rpartition("/")
    return storage_at(folder or "/").read(name, lambda stream: True) is not None
