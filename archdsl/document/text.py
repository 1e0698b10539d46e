"""The doors for YAML text: a file, a text or a single value in, a `Tree` out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from archdsl.document.messages import missing_space
from archdsl.document.reader import DEEPEST, Draft, fatal, read
from archdsl.document.tree import Tree, tree_of
from archdsl.errors import NameNotFoundError
from archdsl.files import in_use

MOST_BYTES = 1 << 20
EMPTY = "the document is empty; it starts with 'archdsl: 1'"


def read_file(path: Path) -> Tree:
    """Read one YAML document.

    Raises:
        NameNotFoundError: the file cannot be opened.
        DocumentError: the text is not one YAML mapping; every problem found.
    """
    return read_draft(path).whole()


def read_draft(path: Path) -> Draft:
    """Read one YAML document as far as possible, so that its words can be judged too.

    Raises:
        NameNotFoundError: the file cannot be opened.
        DocumentError: there is no YAML mapping to judge.
    """
    try:
        raw = _bytes(path) if path.is_file() else _bytes_of_stream(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise NameNotFoundError(f"cannot read {path}: {reason.lower()}") from None
    in_use(path, f"the document {path}")
    if len(raw) > MOST_BYTES:
        raise fatal(str(path), f"larger than {MOST_BYTES // 1024} KiB; a document is a short text")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise fatal(str(path), "not UTF-8 text", line=line, column=1) from None
    return _draft(text, source=str(path))


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


@cache
def _bytes_of_stream(path: Path) -> bytes:
    """A pipe or standard input gives its text once, however often the document is looked at."""
    return _bytes(path)


def read_text(text: str, *, source: str) -> Tree:
    """Read one YAML document from text; `source` names it in messages.

    Raises:
        DocumentError: the text is not one YAML mapping; every problem found.
    """
    return _draft(text, source=source).whole()


def read_mapping(document: Mapping[str, Any], *, source: str) -> Tree:
    """A document that is plain data already; `source` names it in messages.

    Raises:
        DocumentError: it stands inside itself, or is far deeper than a text may be.
    """
    try:
        return tree_of(document, source=source)
    except RecursionError:
        raise fatal(source, f"nested deeper than {DEEPEST} levels") from None


def read_value(text: str, *, source: str) -> Tree:
    """Read a single YAML value, as `--set path=value` gives it.

    Raises:
        DocumentError: the text is not one YAML value.
    """
    return read(text, source=source).whole()


def _draft(text: str, *, source: str) -> Draft:
    draft = read(text, source=source)
    tree = draft.tree
    if not isinstance(tree.value, dict):
        draft.whole()
        found = "a list" if isinstance(tree.value, tuple) else f"only {tree.value!r}"
        hint = missing_space(tree.value)
        message = EMPTY if tree.value is None else f"a document is a mapping, found {found}{hint}"
        raise fatal(source, message, line=tree.origin.line, column=tree.origin.column)
    return draft
