"""Which kind of document a file holds."""

from __future__ import annotations

from pathlib import Path

from archdsl.document.messages import one_of
from archdsl.document.text import read_file
from archdsl.document.validate import problem
from archdsl.errors import ArchdslError, DocumentError

KINDS = ("model", "study", "runner")


def kind_of(path: Path) -> str:
    """`model`, `study` or `runner`.

    Raises:
        DocumentError: not a document, or of an unknown kind.
    """
    tree = read_file(path)
    written = tree.child("kind")
    if written is None:
        return "model"
    if written.value not in KINDS:
        raise DocumentError([problem(tree, ("kind",), one_of(written.plain(), KINDS))])
    return str(written.value)


def own_documents(folder: Path) -> dict[str, list[Path]]:
    """Documents that lie directly in a folder, by kind; other YAML files are passed over."""
    from archdsl.document.shelves import documents

    found: dict[str, list[Path]] = {kind: [] for kind in KINDS}
    for path in documents(folder):
        try:
            if "archdsl" in read_file(path).plain():
                found[kind_of(path)].append(path)
        except ArchdslError:
            continue
    return found
