"""Where documents are found: a path, the current folder, or the shelves in the package."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal

from archdsl.document.messages import nearest
from archdsl.errors import NameNotFoundError
from archdsl.printable import one_line

Shelf = Literal["specs", "search", "recipes", "runners"]
SHELVES: tuple[Shelf, ...] = ("specs", "search", "recipes", "runners")
STANDARD_INPUT = "-"
_SUFFIXES = (".yaml", ".yml")
_HOLDS = {
    "specs": "a model",
    "search": "a study",
    "recipes": "a recipe",
    "runners": "a run profile",
}


def find(name: str, shelf: Shelf) -> Path:
    """The file of a document.

    A path is taken as it is, `-` as standard input. A bare name is looked for as `NAME.yaml` in the
    current folder, then in its `<shelf>/` folder, then on the packaged shelf.

    Raises:
        NameNotFoundError: nothing there; names the nearest known document.
    """
    path = Path("/dev/stdin" if name == STANDARD_INPUT else name)
    if _holds(path.exists) and not _holds(path.is_dir):
        return path
    if path.suffix in _SUFFIXES or path.name != name or _is_link(path):
        raise NameNotFoundError(one_line(f"{name} {_found_at(path)}{_meant(path, shelf)}"))
    for folder in (Path(), Path(shelf), packaged(shelf)):
        for suffix in _SUFFIXES:
            candidate = folder / f"{name}{suffix}"
            if _holds(candidate.is_file):
                return candidate
    where = f"not a file here, nor on the {shelf}/ shelf"
    raise NameNotFoundError(one_line(f"no document '{name}': {where}; {_instead(name, shelf)}"))


def _holds(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except OSError:  # a name longer than names can be, a folder that may not be entered
        return False


def _is_link(path: Path) -> bool:
    return _holds(path.is_symlink)


def _found_at(path: Path) -> str:
    """What is wrong with a path that leads to no document."""
    try:
        path.stat()
    except ValueError:  # a zero byte
        return "is no name of a file"
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            return f"cannot be read: {(error.strerror or str(error)).lower()}"
        if _is_link(path):
            return f"is a link to {path.readlink()}, which does not exist"
        return "does not exist"
    return "is a folder, not a document"


def _meant(path: Path, shelf: Shelf) -> str:
    known = {} if _holds(path.exists) or _is_link(path) else _around(path.parent, shelf)
    hint = nearest(path.stem, known)
    return f"; did you mean '{known[hint]}'?" if hint else ""


def _instead(name: str, shelf: Shelf) -> str:
    """What a bare name that is not on a shelf most probably stands for."""
    for other in SHELVES:
        if other != shelf and name in names(other):
            return f"'{name}' is {_HOLDS[other]}, and {_HOLDS[shelf]} is wanted here"
    known = _around(Path(), shelf)
    hint = nearest(name, known)
    return f"did you mean '{known[hint]}'?" if hint else f"known names: {', '.join(names(shelf))}"


def _around(folder: Path, shelf: Shelf) -> dict[str, str]:
    """Names of documents of a shelf and a folder, and how each is called from here."""
    known = {name: name for name in names(shelf)}
    try:
        beside = documents(folder)
    except OSError:  # a folder that may not be read
        return known
    return known | {path.stem: path.stem if folder == Path() else str(path) for path in beside}


def names(shelf: Shelf) -> list[str]:
    """Names of the documents on a packaged shelf."""
    return [path.stem for path in documents(packaged(shelf))]


def documents(folder: Path) -> list[Path]:
    """The YAML documents of a folder, sorted by name."""
    if not folder.is_dir():
        return []
    found = (path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    return sorted(found, key=lambda path: path.stem)


@cache
def packaged(shelf: Shelf) -> Path:
    """The shelf inside the installed package, or the checkout's when run from one."""
    package = Path(__file__).parent.parent
    installed = package / "shelves" / shelf
    return installed if installed.is_dir() else package.parent / shelf
