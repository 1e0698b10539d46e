"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from archdsl.errors import ArchdslError


class ReportError(ArchdslError):
    """A picture or page that cannot be written."""


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file by way of a neighbour and a rename; a reader never sees half of it.

    Raises:
        ReportError: the folder is missing or refuses the file.
    """
    target = Path(path)
    draft = target.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        draft.write_bytes(content)
        draft.replace(target)
    except OSError as error:
        raise ReportError(
            f"cannot write {str(target)!r}: {error.strerror or error}; "
            "name a file in a folder that exists and can be written"
        ) from None
    finally:
        draft.unlink(missing_ok=True)
