"""Where documents are found: a path, the current folder, or the shelves in the package."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal

from archdsl.document.messages import nearest
from archdsl.errors import NameNotFoundError

Shelf = Literal["specs", "search", "runners"]
SHELVES: tuple[Shelf, ...] = ("specs", "search", "runners")
_SUFFIXES = (".yaml", ".yml")


def find(name: str, shelf: Shelf) -> Path:
    """The file of a document.

    A path is taken as it is. A bare name is looked for as `NAME.yaml` in the current folder, then
    in its `<shelf>/` folder, then on the packaged shelf.

    Raises:
        NameNotFoundError: nothing there; names the nearest known document.
    """
    path = Path(name)
    if _holds(path.is_file):
        return path
    if path.suffix in _SUFFIXES or path.name != name:
        kind = "is a folder, not a document" if _holds(path.is_dir) else "does not exist"
        raise NameNotFoundError(f"{name} {kind}")
    for folder in (Path(), Path(shelf), packaged(shelf)):
        for suffix in _SUFFIXES:
            candidate = folder / f"{name}{suffix}"
            if _holds(candidate.is_file):
                return candidate
    known = names(shelf)
    hint = nearest(name, known)
    ending = f"did you mean '{hint}'?" if hint else f"known names: {', '.join(known)}"
    raise NameNotFoundError(
        f"no document '{name}': not a file here, nor on the {shelf}/ shelf; {ending}"
    )


def _holds(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except OSError:  # a name longer than names can be, a folder that may not be entered
        return False


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
