"""What commands write: under which names, and never over something else unasked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.errors import WriteError
from archdsl.files import refuse_in_use, write_whole
from archdsl.identity import digest
from archdsl.reporting.formatting import SOFTWARE, drawn_of

if TYPE_CHECKING:
    from archdsl.store.rows import StudyRow

LONGEST_STEM = 80
BEGINNING = 4096
"""Bytes of a file in which it says who wrote it."""


def write_files(contents: Mapping[Path, bytes], *, force: bool, folder: Path | None = None) -> None:
    """Write files, none of them over something else unless forced to.

    Args:
        contents: by file.
        force: see `refuse_others`.
        folder: is made where it is missing.

    Raises:
        WriteError: a file holds something else, or cannot be written.
    """
    refuse_others(contents, force=force)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    for path, content in contents.items():
        write_whole(path, content)


def refuse_others(contents: Mapping[Path, bytes], *, force: bool) -> None:
    """See that no file is lost: what is there already must hold the same.

    Args:
        contents: what is to be written, by file.
        force: lose whatever is there.

    Raises:
        WriteError: names the files that hold something else, or that the command works with.
    """
    changed = [path for path, new in contents.items() if not _holds(path, new)]
    refuse_in_use(changed)
    _refuse([] if force else [path for path in changed if path.is_file()])


def _refuse(others: Sequence[Path]) -> None:
    if others:
        several = len(others) > 1
        raise WriteError(
            f"{', '.join(map(str, others))} {'exist and hold' if several else 'exists and holds'} "
            f"something else; replace {'them' if several else 'it'} with --force, or write "
            "elsewhere"
        )


def refuse_foreign(paths: Sequence[Path], *, study: StudyRow, force: bool) -> None:
    """See that pictures and pages of a study replace none but earlier ones of it.

    Raises:
        WriteError: files that are there were not written by archdsl's plots and reports of this
            study, or are those that the command works with.
    """
    refuse_in_use(paths)
    there = [] if force else [path for path in paths if path.is_file()]
    _refuse([path for path in there if not _shows(study, path)])


def refuse_unmarked(paths: Sequence[Path], *, force: bool) -> None:
    """See that a page replaces none but one that archdsl wrote.

    Raises:
        WriteError: see `refuse_foreign`.
    """
    refuse_in_use(paths)
    there = [] if force else [path for path in paths if path.is_file()]
    _refuse([path for path in there if SOFTWARE.encode() not in _beginning(path)])


def _beginning(path: Path) -> bytes:
    with path.open("rb") as there:
        return there.read(BEGINNING)


def _shows(study: StudyRow, path: Path) -> bool:
    beginning = _beginning(path)
    of_any = drawn_of("").encode()
    if of_any in beginning:
        return drawn_of(study.digest).encode() in beginning
    return SOFTWARE.encode() in beginning  # of before, when none said which study it shows


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content


def safe_stem(name: str) -> str:
    """A file's name without suffix, from a name that may hold anything.

    Names that differ have files that differ: one that cannot be kept as it is ends in a digest.
    """
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
    kept = kept.lstrip("-.")[:LONGEST_STEM] or "unnamed"
    return kept if kept == name else f"{kept}-{digest(name)[:6]}"
