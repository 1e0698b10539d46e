"""A driver of fsspec, installed for whoever has this folder on its path: `shelf://bucket/folder`.

Buckets are folders of the current folder. It promises as little as a store may: nothing can be
renamed, a bucket is not made on the way, and an upload that is cut short leaves half a file.
"""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

SECONDS = "SHELF_SECONDS"
"""In the environment: how long the second half of an upload lets wait."""
EARLY_BYTES = 1000


class Upload(io.BytesIO):
    """Goes away in two halves when it is closed; what a test sets on the driver happens between."""

    def __init__(self, path: Path, driver: type[ShelfFileSystem]) -> None:
        super().__init__()
        self._path, self._driver = path, driver
        self._broken = False

    def write(self, data: Any) -> int:
        if self._driver.early and self.tell() > EARLY_BYTES:
            self._break_down()
        return super().write(data)

    def close(self) -> None:
        if self.closed:
            return
        content = self.getvalue()
        super().close()
        with self._path.open("wb") as file:
            file.write(content[: len(content) // 2])
            file.flush()
            if self._broken:
                return
            self._break_down()
            time.sleep(float(os.environ.get(SECONDS, "0")))
            file.write(content[len(content) // 2 :])

    def _break_down(self) -> None:
        if self._driver.failures:
            self._driver.failures -= 1
            self._broken = True
            raise ConnectionResetError("the other side hung up")


class ShelfFileSystem(LocalFileSystem):
    """A file system whose uploads may break down."""

    protocol = "shelf"
    failures = 0
    """How many of the next uploads break down in the middle."""
    early = False
    """Whether they do so while the file is still being written, not when it is closed."""
    connections = 0

    def __init__(self, **words: Any) -> None:
        super().__init__(**words)
        type(self).connections += 1

    @classmethod
    def _strip_protocol(cls, path: Any) -> str:
        return str(path).removeprefix("shelf://").rstrip("/")

    def _open(self, path: str, mode: str = "rb", **words: Any) -> Any:
        if mode == "wb":
            return Upload(Path(self._strip_protocol(path)), type(self))
        return super()._open(path, mode, **words)

    def mv(self, *paths: str, **words: Any) -> None:
        raise NotImplementedError
