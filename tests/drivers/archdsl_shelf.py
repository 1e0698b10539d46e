"""A driver of fsspec, installed for whoever has this folder on its path: `shelf://bucket/folder`.

Buckets are folders of the current folder. It promises as little as a store may: nothing can be
renamed, a bucket is not made on the way, and an upload that is cut short leaves half a file.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

SECONDS = "SHELF_SECONDS"
"""In the environment: how long the second half of an upload lets wait."""


class ShelfFileSystem(LocalFileSystem):
    """Uploads in two halves; what a test sets on the class happens in between."""

    protocol = "shelf"
    failures = 0
    """How many of the next uploads break down in the middle."""
    connections = 0

    def __init__(self, **words: Any) -> None:
        super().__init__(**words)
        type(self).connections += 1

    @classmethod
    def _strip_protocol(cls, path: Any) -> str:
        return str(path).removeprefix("shelf://").rstrip("/")

    def pipe_file(self, path: str, value: bytes, **words: Any) -> None:
        with Path(path).open("wb") as file:
            file.write(value[: len(value) // 2])
            file.flush()
            if type(self).failures:
                type(self).failures -= 1
                raise ConnectionResetError("the other side hung up")
            time.sleep(float(os.environ.get(SECONDS, "0")))
            file.write(value[len(value) // 2 :])

    def mv(self, *paths: str, **words: Any) -> None:
        raise NotImplementedError
