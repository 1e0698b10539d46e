"""Finding the files of a folder, and reading each once on a machine, not once in every process.

What is read is kept in the user's cache folder; a file is read again when its size or its time has
changed.
"""

from __future__ import annotations

import hashlib
import os
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archdsl.errors import DataError
from archdsl.training.data.manifest import LISTED, ROW, Manifest, Rows, Trait
from archdsl.training.data.manifest_cache import UNREAD, alone, kept_at, load, save
from archdsl.training.data.pictures import Header, read_header
from archdsl.training.data.place import Place
from archdsl.training.data.side_by_side import attempt_all, raise_all

AT_ONCE = 1024
"""Files whose headers are in memory at a time, before they become rows."""
SAVE_SECONDS = 60.0
"""Of reading that the end of the process, whatever it is, may cost."""


def read_manifest(root: Path, folders: Sequence[str]) -> Manifest:
    """What there is in some folders below `root`, hidden files and folders left out.

    Where several processes ask for the same, one reads and the others wait for it. What was read
    is kept also where some file is broken, or where the reading is cut short.

    Args:
        root: a folder.
        folders: below it, relative, in the order that their files come in.

    Raises:
        DataError: a folder that cannot be read.
    """
    return filled(root.resolve(), lambda: _listed(root, folders))


def manifest_of(listing: Path, names: Sequence[str]) -> Manifest:
    """What there is behind names that a file lists; see `read_manifest`.

    Args:
        listing: the file; names start at its folder.
        names: in the order of the rows.

    Raises:
        DataError: files that are not there, the first few by name.
    """
    return filled(listing.resolve(), lambda: _named(listing.parent, names))


def filled(place: Path, look: Callable[[], Manifest]) -> Manifest:
    """The files that are found, with all that is known of them; see `read_manifest`.

    Args:
        place: what they belong to.
        look: finds them, with rows of type `LISTED`.

    Raises:
        DataError: what `look` raises.
    """
    kept = kept_at(place)
    with alone(kept):
        found = look()
        rows, as_kept = _known_rows(found, load(kept))
        listed = replace(found, rows=rows)
        wanted = np.flatnonzero(rows["changed"] == UNREAD)
        broken: dict[int, DataError] = {}
        if len(wanted) or not as_kept:
            keep = partial(save, listed, kept)
            try:
                broken = _read_rows(listed, wanted, times=found.rows["changed"], keep=keep)
            finally:
                keep()
    return replace(listed, read=len(wanted), broken=broken)


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
    rows = np.empty(len(ends), dtype=LISTED)
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

    rows, errors = np.empty(len(names), dtype=LISTED), list[DataError]()
    for start in range(0, len(names), AT_ONCE):
        paths = [root / name for name in names[start : start + AT_ONCE]]
        for index, found in enumerate(attempt_all(paths, look), start=start):
            if isinstance(found, DataError):
                errors.append(found)
            else:
                rows[index] = found
    raise_all(errors)
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
    entries.reverse()
    while entries:
        entry = entries.pop()  # and with it what the system said of it
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), f"{name}/{entry.name}")
        else:
            yield f"{name}/{entry.name}", entry


def _known_rows(found: Manifest, known: Manifest | None) -> tuple[Rows, bool]:
    """The rows of files, as they are known where these were not changed since; those of the others,
    which are to be read, have the time of no file.

    Args:
        found: the files, with rows of type `LISTED`.
        known: what was kept; its rows may become these.

    Returns:
        Rows of type `ROW`, and whether what was kept is of these very files.
    """
    unread = np.zeros((), dtype=ROW)
    unread["changed"] = UNREAD
    if known is None or not len(known):
        rows, as_kept = np.full(len(found), unread), False
    elif found.text == known.text and np.array_equal(found.ends, known.ends):
        rows, as_kept = known.rows, True  # as nearly always: no file came or went
    else:
        before = _places_before(found, known)
        rows, as_kept = known.rows[before], False
        rows[before < 0] = unread
    same = (rows["bytes"] == found.rows["bytes"]) & (rows["changed"] == found.rows["changed"])
    rows[~same] = unread
    rows["bytes"] = found.rows["bytes"]
    return rows, as_kept


def _places_before(found: Manifest, known: Manifest) -> npt.NDArray[np.int64]:
    """Where each file was, -1 where it was not."""
    hashes, old = _hashes(found), _hashes(known)
    order = np.argsort(old)
    nearest = order[np.minimum(np.searchsorted(old, hashes, sorter=order), len(old) - 1)]
    places = np.where(old[nearest] == hashes, nearest, -1)
    for index in np.flatnonzero(places >= 0).tolist():
        if found.name(index) != known.name(int(places[index])):  # two names of one hash
            places[index] = -1
    return places


def _hashes(manifest: Manifest) -> npt.NDArray[np.int64]:
    """Of each name: for a million of them, a dictionary would be a quarter of a gigabyte."""
    names = map(manifest.name, range(len(manifest)))
    return np.fromiter(map(hash, names), np.int64, count=len(manifest))


def _read_rows(
    listed: Manifest,
    wanted: npt.NDArray[np.int64],
    *,
    times: npt.NDArray[np.int64],
    keep: Callable[[], None],
) -> dict[int, DataError]:
    """Read files and fill their rows; those that cannot be read, and what is wrong with them.

    Args:
        listed: has the rows.
        wanted: which files.
        times: (files,) when each was changed, which a row gets when it is filled.
        keep: called now and then, to save what there is.
    """
    broken: dict[int, DataError] = {}
    saved = time.monotonic()
    for start in range(0, len(wanted), AT_ONCE):
        indices = wanted[start : start + AT_ONCE]
        places = [listed.place(index) for index in indices.tolist()]
        for index, found in zip(indices, attempt_all(places, _read), strict=True):
            if isinstance(found, DataError):
                broken[int(index)] = found
                continue
            row, (digest, header) = listed.rows[index], found
            row["digest"] = np.frombuffer(digest, np.uint8)
            if header is not None:
                row["height"], row["width"] = header.size
                row["greatest"] = header.greatest
                row["traits"] = _traits(header)
            row["changed"] = times[index]
        if time.monotonic() > saved + SAVE_SECONDS:
            keep()
            saved = time.monotonic()
    return broken


def _read(place: Place) -> tuple[bytes, Header | None]:
    try:
        content = place.read_bytes()
    except OSError as error:
        raise DataError(f"{place} cannot be read: {error.strerror}") from error
    return hashlib.sha256(content).digest(), read_header(content, place)


def _traits(header: Header) -> Trait:
    found = Trait.PICTURE
    found |= Trait.GREY if header.grey else 0
    found |= Trait.SEE_THROUGH if header.see_through else 0
    found |= Trait.TURNED if header.turned else 0
    return found | (Trait.FRAMES if header.frames else 0)
