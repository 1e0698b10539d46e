"""A folder at a URL that several machines reach: `s3://bucket/files`, through fsspec.

Of a file system it asks no more than to write, read and remove whole files: not every store can
rename one, and not every one replaces one at once.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlsplit

import fsspec
from fsspec.core import url_to_fs
from fsspec.registry import registry

from archdsl.document.masking import masked
from archdsl.document.messages import nearest, shown
from archdsl.errors import WriteError

ANSWER_SECONDS = 30.0
"""What does not answer within so long is as good as away."""

_USUAL = ("file", "s3", "gs", "az", "hdfs", "sftp", "smb", "webdav")
"""Of the many file systems that fsspec knows, those that people keep weights in."""
_REASON_LENGTH = 200
Answer = TypeVar("Answer")
Parsed = TypeVar("Parsed")


def problem_of(url: str) -> str | None:
    """Why files can never be kept at a URL, as far as the URL itself tells; None if they can."""
    protocol, _, rest = url.partition("://")
    if "::" in url:
        return f"'{masked(url)}' is several file systems in one; name the one that keeps the files"
    missing = None
    try:
        fsspec.get_filesystem_class(protocol)
    except ValueError:
        return _unknown(protocol)
    except ImportError as error:
        missing = str(error)
    if not rest.strip("/"):
        return f"'{masked(url)}' names no folder; write {protocol}://PLACE/FOLDER"
    if protocol == "memory":
        return "memory:// is a place inside one process, and no other sees it"
    if "@" in rest and urlsplit(url).password is not None:
        # Unlike a document, and what is told of it, fsspec's own settings are nobody else's.
        return (
            "a password does not belong in a document; give it to fsspec, for example as "
            f"FSSPEC_{protocol.upper()}_PASSWORD in the environment of whatever runs candidates"
        )
    if missing is not None:
        return (
            f"{protocol}:// needs a package that is not installed: {missing}; it is needed "
            "wherever candidates run"
        )
    return None


def _unknown(protocol: str) -> str:
    hint = nearest(protocol, _USUAL)
    ending = f"; did you mean '{hint}'?" if hint else ""
    known = ", ".join(_USUAL)
    return f"{shown(protocol)} is not one of: {known} and others that fsspec knows{ending}"


class RemoteFolder:
    """A folder at a URL; see `archdsl.storage.storage.Storage`.

    Every request to the file system is repeated once over a new connection: servers end those that
    lie idle during an epoch. What is written goes there in the parts that the driver uploads; what
    is read passes through memory, so that a connection that breaks is never taken for the end of a
    file.

    Args:
        url: of which `problem_of` knows nothing to say.
    """

    replaces_whole = False

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def __str__(self) -> str:
        return self._url

    def __truediv__(self, name: str) -> RemoteFolder:
        return RemoteFolder(f"{self._url}/{name}")

    def write(self, name: str, fill: Callable[[BinaryIO], object]) -> None:
        def write(system: Any, path: str) -> None:
            _make_folder(system, path.rpartition("/")[0])
            with system.open(path, "wb") as stream:
                fill(stream)

        self._ask("write", name, write)

    def read(self, name: str, parse: Callable[[BinaryIO], Parsed]) -> Parsed | None:
        def read(system: Any, path: str) -> bytes | None:
            try:
                content: bytes = system.cat_file(path)
            except FileNotFoundError:
                return None
            return content

        content = self._ask("read", name, read)
        return None if content is None else parse(BytesIO(content))

    def remove(self, name: str) -> None:
        def remove(system: Any, path: str) -> None:
            with suppress(FileNotFoundError):
                system.rm(path)

        self._ask("remove", name, remove)

    def check(self, seconds: float = ANSWER_SECONDS) -> None:
        """Write a file, read it and remove it, as trainings will.

        Args:
            seconds: how long to wait for the answers.
        """
        failures: list[WriteError] = []

        def tried() -> None:
            try:
                self._try_out()
            except WriteError as error:
                failures.append(error)

        thread = threading.Thread(target=tried, name="storage", daemon=True)
        thread.start()
        thread.join(seconds)
        if thread.is_alive():
            raise self._failure("reach", self, f"no answer within {seconds:g} s")
        if failures:
            raise failures[0]

    def _try_out(self) -> None:
        name, content = f".archdsl-{secrets.token_hex(8)}", b"archdsl"
        self.write(name, lambda stream: stream.write(content))
        if self.read(name, _content) != content:
            raise self._failure("read", self / name, "it is not what was written")
        self.remove(name)
        # Some stores refuse to say that a file is not there, and every training asks first.
        self.read(name, _content)

    def _ask(self, verb: str, name: str, action: Callable[[Any, str], Answer]) -> Answer:
        protocol, failure = self._url.partition("://")[0], ""
        for _ in range(2):
            try:
                system, path = url_to_fs(f"{self._url}/{name}")
                # Others write here, too.
                system.invalidate_cache()
                return action(system, path)
            except Exception as error:  # each driver has errors of its own
                failure = _reason(error)
            if protocol in registry:
                registry[protocol].clear_instance_cache()
        raise self._failure(verb, self / name, failure)

    def _failure(self, verb: str, what: RemoteFolder, reason: str) -> WriteError:
        return WriteError(
            f"cannot {verb} {what}: {reason}; see that the run profile's storage is right, is "
            "reached from this machine and may be read and written with what it is given to log "
            "in, then run again"
        )


def _content(stream: BinaryIO) -> bytes:
    return stream.read()


def _make_folder(system: Any, folder: str) -> None:
    """Make a folder and those above it, but not the first: a bucket is not made by mistake."""
    above = folder.rpartition("/")[0]
    if above and not system.isdir(folder):
        _make_folder(system, above)
        with suppress(FileExistsError):
            system.mkdir(folder, create_parents=False)


def _reason(error: Exception) -> str:
    text = " ".join((getattr(error, "strerror", None) or str(error)).split())[:_REASON_LENGTH]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
