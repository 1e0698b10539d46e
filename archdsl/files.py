"""Files that are there whole or not at all, and never in the place of what a command works with."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

from archdsl.errors import WriteError

NEARLY_FULL = 1 << 20
"""Bytes; with less left, a file that could not be written is put down to that."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_IN_USE: ContextVar[dict[Path, str] | None] = ContextVar("in_use", default=None)
"""What the command under way reads or has open, and what each is; None outside of commands."""


@contextmanager
def noting_use() -> Iterator[None]:
    """For one command: what it says to be in use, none of its outputs may replace."""
    token = _IN_USE.set({})
    try:
        yield
    finally:
        _IN_USE.reset(token)


def in_use(path: Path, kind: str) -> None:
    """Say that a file is read or open, there or not; `kind` says what it is."""
    known = _IN_USE.get()
    if known is not None:
        known.setdefault(path.absolute(), kind)


def refuse_in_use(outputs: Iterable[Path]) -> None:
    """See that no output is what the command works with, or another output, by whatever name.

    Raises:
        WriteError: names each output that is; one is called `-`.
    """
    outputs = list(outputs)
    refuse_dash(outputs)
    taken = dict(_IN_USE.get() or {})
    found = []
    for output in outputs:
        same = next((path for path in taken if _is_same(path, output)), None)
        if same is not None:
            found.append(f"cannot write {str(output)!r}: it is {taken[same]}; name another file")
        taken.setdefault(output.absolute(), f"another output of this command, {str(output)!r}")
    if found:
        raise WriteError("\n".join(found))


def refuse_dash(outputs: Iterable[Path]) -> None:
    """
    Raises:
        WriteError: an output is, or lies in, what elsewhere stands for standard output.
    """
    if any(output.parts[:1] == ("-",) for output in outputs):
        raise WriteError("cannot write '-': '-' names no file here; name one")


def _is_same(one: Path, other: Path) -> bool:
    """Whether two names are of one file, which need not be there."""
    try:
        return one.samefile(other)
    except OSError:
        # Not `resolve`, which stumbles over links that lead to each other.
        return os.path.realpath(one) == os.path.realpath(other)


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
    data = content.encode() if isinstance(content, str) else content
    try:
        replace_file(target, lambda stream: stream.write(data), draft=draft)
    except OSError as error:
        full = error.errno in _FULL
        remedy = (
            "make room there and run again"
            if full
            else "see that its folder exists and can be written, or run again where it can, or "
            "with another place"
        )
        reason = "the disk is full" if full else error.strerror or error
        raise WriteError(f"cannot write {str(target)!r}: {reason}; {remedy}") from None


def replace_file(target: Path, fill: Callable[[BinaryIO], object], *, draft: Path) -> None:
    """Write a file under another name, then rename it: readers see the old or the new one, whole.

    Args:
        target: its place.
        fill: writes the content.
        draft: the other name, in the same folder.

    Raises:
        OSError: the folder is missing or refuses the file, the disk is full.
    """
    try:
        with draft.open("wb") as stream:
            fill(stream)
        draft.replace(target)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def not_written(path: Path, error: Exception) -> WriteError:
    """Why something in the storage of a run profile could not be written.

    Args:
        path: what was to be written.
        error: what was raised: the system's own error says why. Libraries hide that in errors of
            theirs, and then a disk without room is the reason.
    """
    number = error.errno if isinstance(error, OSError) else None
    if number in _FULL or (number is None and _is_nearly_full(path)):
        return WriteError(f"cannot write {path}: the disk is full; make room there and run again")
    reason = (getattr(error, "strerror", None) or str(error)).partition("\n")[0].lower()
    return WriteError(
        f"cannot write {path}: {reason}; see that the run profile's storage is right and may be "
        "written, then run again"
    )


def _is_nearly_full(path: Path) -> bool:
    existing = next(folder for folder in path.absolute().parents if folder.is_dir())
    return shutil.disk_usage(existing).free < NEARLY_FULL
