"""Where the files of trainings lie that measurements tell of, and whose they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from contextlib import closing, suppress
from pathlib import Path, PurePath
from typing import Any

from archdsl.records import Json

PLACE = "weights"
"""In the detail of a measurement: the folder or URL that its trainings were kept in."""
DATABASE = "weights_database"
"""In the detail of a copied measurement: the database whose searches trained, and keep, them."""
_MAGIC = b"SQLite format 3\x00"
_AT_ONCE = 500


def beside(stored: str, *, folder: Path | None) -> Path | None:
    """Where a training lies if it was moved or copied along with the database.

    Args:
        stored: the place that a measurement names: it ends in the storage's folder and, in that,
            the candidate's.
        folder: of the database; None of a server.

    Returns:
        These two, in the folder of the database; None for what is kept at a URL.
    """
    if folder is None or "://" in stored:
        return None
    return folder.joinpath(*PurePath(stored).parts[-2:])


def places(stored: str, *, folder: Path | None) -> list[str]:
    """Where weights are looked for, in this order: beside the database, then where they were
    written (a relative path, in measurements of before, starts at the current folder).

    Args:
        stored: see `beside`.
        folder: see `beside`.
    """
    near = beside(stored, folder=folder)
    return [stored] if near is None else [str(near), stored]


def copied_detail(
    detail: dict[str, Any], *, source: str, folder: Path | None, target: str
) -> dict[str, Json]:
    """What a copy of a measurement says of itself: the trainings stay, and stay another's.

    Args:
        detail: of the measurement.
        source: the database that it is in.
        folder: of that database.
        target: the database that it is copied to; what was its own is so again.
    """
    if PLACE not in detail:
        return detail
    database = detail.get(DATABASE, source)
    kept = {name: value for name, value in detail.items() if name != DATABASE}
    found = (each for each in places(detail[PLACE], folder=folder) if Path(each).is_dir())
    kept[PLACE] = str(Path(there).absolute()) if (there := next(found, None)) else detail[PLACE]
    return kept if database == target else {**kept, DATABASE: database}


def known_to_neighbours(database: Path, arch_ids: Collection[str]) -> dict[str, Path]:
    """Which of some architectures are in another database of the same folder, and in which.

    Searches of one folder share its trainings, whatever database each writes to.
    """
    known: dict[str, Path] = {}
    for path in sorted(database.parent.iterdir()):
        if path != database and _is_sqlite(path):
            known |= dict.fromkeys(_met(path, sorted(arch_ids)), path)
    return known


def _is_sqlite(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            return stream.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def _met(path: Path, arch_ids: list[str]) -> Iterable[str]:
    found: list[str] = []
    # Whatever else a database is, it has no such table. Opened as for writing, which alone takes
    # the log away again that SQLite makes beside what it reads.
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as connection,
    ):
        for start in range(0, len(arch_ids), _AT_ONCE):
            some = arch_ids[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            query = f"SELECT arch_id FROM architectures WHERE arch_id IN ({marks})"
            found += [arch_id for (arch_id,) in connection.execute(query, some)]
    return found
