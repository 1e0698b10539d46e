"""Which kind of document a file holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from archdsl.document.messages import nearest, one_of
from archdsl.document.shelves import Shelf, documents, find, names
from archdsl.document.text import read_draft, read_file
from archdsl.document.validate import problem
from archdsl.errors import DocumentError, NameNotFoundError
from archdsl.printable import one_line

KINDS = ("model", "study", "recipe", "runner")
_VERSION = re.compile(rb"^archdsl\s*:", re.MULTILINE)


def kind_of(path: Path) -> str:
    """One of `KINDS`.

    Raises:
        DocumentError: not a document, or of an unknown kind.
    """
    tree = read_draft(path).tree  # what is wrong with its text is said with the rest
    written = tree.child("kind")
    if written is None:
        return "model"
    if written.value not in KINDS:
        raise DocumentError([problem(tree, ("kind",), one_of(written.plain(), KINDS))])
    return str(written.value)


def own_documents(folder: Path) -> dict[str, list[Path]]:
    """Documents that lie directly in a folder, by kind; other YAML files are passed over.

    Raises:
        DocumentError: a document of ours that cannot be read: whoever forgot a bracket must not
            find something else searched instead.
    """
    found: dict[str, list[Path]] = {kind: [] for kind in KINDS}
    for path in own_paths(folder):
        read_file(path)
        found[kind_of(path)].append(path)
    return found


def own_paths(folder: Path) -> list[Path]:
    """Files directly in a folder that are documents of ours, those that are broken among them."""
    return [path for path in documents(folder) if _is_ours(path)]


def _is_ours(path: Path) -> bool:
    try:
        return "archdsl" in read_file(path).plain()
    except DocumentError:
        return _VERSION.search(path.read_bytes()) is not None


def find_on(name: str, shelves: Sequence[Shelf]) -> Path:
    """The document of a name, on the first of the shelves that has it.

    Raises:
        NameNotFoundError: none has; names the nearest of them all.
    """
    path = Path(name)
    for shelf in shelves:
        try:
            return find(name, shelf)
        except NameNotFoundError:
            if path.suffix or path.name != name or path.is_symlink():
                raise
    known = [word for shelf in shelves for word in names(shelf)]
    hint = nearest(name, known)
    ending = f"did you mean '{hint}'?" if hint else f"known names: {', '.join(known)}"
    where = ", ".join(f"{shelf}/" for shelf in shelves)
    found = f"no document '{name}': not a file here, nor on the shelves {where}; {ending}"
    raise NameNotFoundError(one_line(found))
