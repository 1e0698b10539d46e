"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from archdsl.errors import WriteError


def write_whole(path: str | Path, content: bytes | str) -> None:
    """Write a file by way of a neighbour and a rename; a reader never sees half of it.

    Raises:
        WriteError: the folder is missing or refuses the file, the disk is full, or something
            other than a file has that name: a rename would put an end to a device.
    """
    target = Path(path)
    if target.exists() and not target.is_file():
        kind = "a folder" if target.is_dir() else "a device or a pipe"
        raise WriteError(f"cannot write {str(target)!r}: it is {kind}; name a file")
    draft = target.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)
        draft.replace(target)
    except OSError as error:
        raise WriteError(
            f"cannot write {str(target)!r}: {error.strerror or error}; "
            "name a file in a folder that exists and can be written"
        ) from None
    finally:
        draft.unlink(missing_ok=True)
