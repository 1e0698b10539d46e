"""A file in the storage by which machines are asked whether they see the same one."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archdsl.files import not_written


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
    # Only here: see `archdsl.runners.profile`.
    from archdsl.storage.remote import RemoteFolder, check_storage, storage_at

    place, name = storage_at(storage), f".seen-by-all-{secrets.token_hex(8)}"
    check_storage(place)
    if isinstance(place, RemoteFolder):
        place.write(name, b"archdsl")
        try:
            yield str(place / name)
        finally:
            place.remove(name)
        return
    marker = place.absolute() / name
    try:
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
    except OSError as error:
        raise not_written(place, error) from None
    try:
        yield str(marker)
    finally:
        marker.unlink(missing_ok=True)


def is_seen(marker: str) -> bool:
    """Whether this machine sees a marker.

    Raises:
        WriteError: the URL does not answer here.
    """
    if "://" not in marker:
        return Path(marker).exists()
    from archdsl.storage.remote import RemoteFolder

    folder, _, name = marker.rpartition("/")
    return RemoteFolder(folder).read(name) is not None
