"""What is known of the files of a folder: read once by a machine, not once by every process.

The rows lie in arrays, beside them all names in one text: a million files are some 100 MB, and no
process that is forked from another copies them. They are kept in the user's cache folder; a file is
read again when its size or its time has changed.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import IntFlag
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archdsl.errors import DataError, WriteError
from archdsl.files import write_whole
from archdsl.training.data.pictures import Header, read_header
from archdsl.training.data.side_by_side import attempt_all, for_all, raise_all

CACHE_VARIABLE = "ARCHDSL_CACHE"
"""Environment variable that names another folder for what is kept from one process to the next."""
VERSION = 1
"""Of what is kept: raised when it is read from files otherwise."""
FRESH_NS = 2 * 10**9
"""A file that was changed this shortly before it was read may be changed again without a trace."""
AT_ONCE = 1024
"""Files whose headers are in memory at a time, before they become rows."""
SAVE_SECONDS = 60.0
"""Of reading that the end of the process, whatever it is, may cost."""
UNREAD = -1
"""The time of a row whose file is yet to be read."""


class Trait(IntFlag):
    """What a file is, beside its size."""

    PICTURE = 1
    GREY = 2
    SEE_THROUGH = 4
    TURNED = 8
    FRAMES = 16


ROW = np.dtype(
    [
        ("bytes", "<i8"),
        ("changed", "<i8"),  # nanoseconds since 1970
        ("digest", "u1", 32),  # SHA-256 of the content
        ("height", "<i4"),
        ("width", "<i4"),
        ("greatest", "<u2"),
        ("traits", "u1"),
    ]
)
Rows = npt.NDArray[np.void]


@dataclass(frozen=True, kw_only=True, eq=False)
class Manifest:
    """The files below a folder, in the order of their paths.

    Args:
        root: the folder.
        text: all names, relative to it and as the system's bytes, one behind the other.
        ends: (files,) where each name ends in `text`.
        rows: (files,) of type `ROW`.
        counts: files in each of the folders that it was made of, one behind the other.
        links: to folders, which are not followed.
        read: how many files were read for it, the others being known.
    """

    root: Path
    text: bytes
    ends: npt.NDArray[np.int64]
    rows: Rows
    counts: Sequence[int] = ()
    links: Sequence[str] = ()
    read: int = 0

    def __len__(self) -> int:
        return len(self.ends)

    def name(self, index: int) -> str:
        """The path of a file relative to the root, with `/` between its parts."""
        start = int(self.ends[index - 1]) if index else 0
        return os.fsdecode(self.text[start : int(self.ends[index])])

    def path(self, index: int) -> Path:
        """The path of a file."""
        return self.root / self.name(index)

    def has(self, trait: Trait) -> npt.NDArray[np.bool_]:
        """(files,) which files have a trait."""
        found: npt.NDArray[np.bool_] = (self.rows["traits"] & trait) > 0
        return found


def read_manifest(root: Path, folders: Sequence[str]) -> Manifest:
    """What there is in some folders below `root`, hidden files and folders left out.

    Where several processes ask for the same, one reads and the others wait for it. What was read
    is kept also where some file is broken, or where the reading is cut short.

    Args:
        root: a folder.
        folders: below it, relative, in the order that their files come in.

    Raises:
        DataError: what is called a picture and cannot be read, the first few by name.
    """
    return _filled(root.resolve(), lambda: _listed(root, folders))


def manifest_of(listing: Path, names: Sequence[str]) -> Manifest:
    """What there is behind names that a file lists; see `read_manifest`.

    Args:
        listing: the file; names start at its folder.
        names: in the order of the rows.

    Raises:
        DataError: files that are not there or cannot be read, the first few by name.
    """
    return _filled(listing.resolve(), lambda: _named(listing.parent, names))


def _filled(place: Path, look: Callable[[], Manifest]) -> Manifest:
    """The files that are found, with all that is known of them; `place` is what they belong to."""
    kept = _kept_at(place)
    with _alone(kept):
        listed = look()
        known = _load(kept)
        times = listed.rows["changed"].copy()
        wanted = _take_known(listed, known)
        if len(wanted) or known is None or len(known) != len(listed):
            save = partial(_save, listed, kept)
            try:
                _read_rows(listed, wanted, times=times, save=save)
            finally:
                save()
    return replace(listed, read=len(wanted))


def _listed(root: Path, folders: Sequence[str]) -> Manifest:
    """The files with their sizes and times; nothing is read."""
    text, links = bytearray(), []
    ends, sizes, times = array("q"), array("q"), array("q")
    counts: list[int] = []
    for folder in folders:
        before = len(ends)
        try:
            for name, entry in _walk(root / folder, folder):
                if entry.is_file():
                    found = entry.stat()
                    text += os.fsencode(name)
                    ends.append(len(text))
                    sizes.append(found.st_size)
                    times.append(found.st_mtime_ns)
                elif entry.is_dir():
                    links.append(name)
        except OSError as error:
            raise DataError(f"{error.filename or root} cannot be read: {error.strerror}") from error
        counts.append(len(ends) - before)
    rows = np.zeros(len(ends), dtype=ROW)
    rows["bytes"], rows["changed"] = np.asarray(sizes), np.asarray(times)
    return Manifest(
        root=root,
        text=bytes(text),
        ends=np.asarray(ends),
        rows=rows,
        counts=counts,
        links=links,
    )


def _named(root: Path, names: Sequence[str]) -> Manifest:
    """Files by name, with their sizes and times; nothing is read."""

    def look(path: Path) -> tuple[int, int]:
        try:
            found = path.stat()
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from error
        return found.st_size, found.st_mtime_ns

    rows = np.zeros(len(names), dtype=ROW)
    found = for_all([root / name for name in names], look)
    rows["bytes"], rows["changed"] = np.array(found, dtype=np.int64).reshape(-1, 2).T
    texts = [os.fsencode(name) for name in names]
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    return Manifest(root=root, text=b"".join(texts), ends=ends, rows=rows)


def is_hidden(name: str) -> bool:
    """Whether a file or a folder is not the user's own: editors', systems' and archives'."""
    return name.startswith(".") or name == "__MACOSX"


def _walk(folder: Path, name: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """All files, and links to folders, in the order of their paths, part by part.

    Args:
        folder: where to look.
        name: what stands for it before the names within.
    """
    with os.scandir(folder) as found:
        entries = sorted((e for e in found if not is_hidden(e.name)), key=lambda e: e.name)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), f"{name}/{entry.name}")
        else:
            yield f"{name}/{entry.name}", entry


def _take_known(listed: Manifest, known: Manifest | None) -> npt.NDArray[np.int64]:
    """Fill the rows of files that are known and not changed; those of the others, which are to be
    read, get the time of no file."""
    same = np.zeros(len(listed), dtype=bool)
    if known is not None and len(known):
        if listed.text == known.text and np.array_equal(listed.ends, known.ends):
            before = np.arange(len(listed))  # as nearly always: no file came or went
        else:
            places = {known.name(index): index for index in range(len(known))}
            before = np.array([places.get(listed.name(i), -1) for i in range(len(listed))], int)
        old, now = known.rows[before], listed.rows
        same = (before >= 0) & (old["bytes"] == now["bytes"]) & (old["changed"] == now["changed"])
        listed.rows[same] = old[same]
    listed.rows["changed"][~same] = UNREAD
    return np.flatnonzero(~same)


def _read_rows(
    listed: Manifest,
    wanted: npt.NDArray[np.int64],
    *,
    times: npt.NDArray[np.int64],
    save: Callable[[], None],
) -> None:
    """Read files and fill their rows.

    Args:
        listed: has the rows.
        wanted: which files.
        times: (files,) when each was changed, which a row gets when it is filled.
        save: called now and then.
    """
    errors: list[DataError] = []
    saved = time.monotonic()
    for start in range(0, len(wanted), AT_ONCE):
        indices = wanted[start : start + AT_ONCE]
        paths = [listed.path(index) for index in indices.tolist()]
        for index, found in zip(indices, attempt_all(paths, _read), strict=True):
            if isinstance(found, DataError):
                errors.append(found)
                continue
            row, (digest, header) = listed.rows[index], found
            row["digest"] = np.frombuffer(digest, np.uint8)
            if header is not None:
                row["height"], row["width"] = header.size
                row["greatest"] = header.greatest
                row["traits"] = _traits(header)
            row["changed"] = times[index]
        if time.monotonic() > saved + SAVE_SECONDS:
            save()
            saved = time.monotonic()
    raise_all(errors)


def _read(path: Path) -> tuple[bytes, Header | None]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    return hashlib.sha256(content).digest(), read_header(content, path)


def _traits(header: Header) -> Trait:
    found = Trait.PICTURE
    found |= Trait.GREY if header.grey else 0
    found |= Trait.SEE_THROUGH if header.see_through else 0
    found |= Trait.TURNED if header.turned else 0
    return found | (Trait.FRAMES if header.frames else 0)


def cache_folder() -> Path:
    """Where what can be found out again is kept: `$ARCHDSL_CACHE`, else the user's own cache."""
    given = os.environ.get(CACHE_VARIABLE)
    if given:
        return Path(given)
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(home) / "archdsl" if home else Path("~/.cache/archdsl").expanduser()


def _kept_at(root: Path) -> Path | None:
    """The file of a folder's manifest; None where nothing can be kept."""
    try:
        folder = cache_folder() / "manifests"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # nothing can be written there, or nobody's home is known
        return None
    return folder / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:32]}.npz"


@contextmanager
def _alone(kept: Path | None) -> Iterator[None]:
    """While one process of this machine reads a folder, others that ask for it wait."""
    if kept is None:
        yield
        return
    try:
        descriptor = os.open(kept.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        with suppress(OSError):  # a file system without locks: each reads for itself
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _load(kept: Path | None) -> Manifest | None:
    """What was kept, if it can be read and is of this version."""
    if kept is None:
        return None
    try:
        with kept.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if int(arrays["version"]) != VERSION:
                return None
            text, ends, rows = arrays["text"].tobytes(), arrays["ends"], arrays["rows"]
    except Exception:  # whatever a damaged file makes of the reader, it is made anew
        return None
    whole = rows.dtype == ROW and len(rows) == len(ends) and len(text) == (ends[-1:] or [0])[0]
    return Manifest(root=Path(), text=text, ends=ends, rows=rows) if whole else None


def _save(listed: Manifest, kept: Path | None) -> None:
    """Keep the rows, but those of files that may be changed again in the same instant."""
    if kept is None:
        return
    rows = listed.rows.copy()
    rows["changed"][time.time_ns() - rows["changed"] < FRESH_NS] = UNREAD
    stream = io.BytesIO()
    text = np.frombuffer(listed.text, np.uint8)
    np.savez(stream, version=VERSION, text=text, ends=listed.ends, rows=rows)
    with suppress(WriteError):  # then it is read again next time
        write_whole(kept, stream.getvalue())
