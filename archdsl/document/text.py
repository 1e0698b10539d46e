"""YAML text to a `Tree`, with every problem of the text reported by line and column.

Built on PyYAML's event stream, not its constructors: tags are refused instead of obeyed, aliases
are shared and their expansion is bounded, duplicate keys are found, and depth is limited.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from archdsl.document.scalars import resolve
from archdsl.document.tree import Entry, Origin, Scalar, Tree
from archdsl.errors import DocumentError, NameNotFoundError, Problem

MOST_BYTES = 1 << 20
MOST_VALUES = 50_000
DEEPEST = 40

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
EMPTY = "the document is empty; it starts with 'archdsl: 1'"


def read_file(path: Path) -> Tree:
    """Read one YAML document.

    Raises:
        NameNotFoundError: the file cannot be opened.
        DocumentError: the text is not one YAML mapping; every problem found.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise NameNotFoundError(f"cannot read {path}: {reason.lower()}") from None
    if len(raw) > MOST_BYTES:
        raise _fatal(str(path), f"larger than {MOST_BYTES // 1024} KiB; a document is a short text")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _fatal(str(path), "not UTF-8 text", line=line, column=1) from None
    return read_text(text, source=str(path))


def read_text(text: str, *, source: str) -> Tree:
    """Read one YAML document from text; `source` names it in messages.

    Raises:
        DocumentError: the text is not one YAML mapping; every problem found.
    """
    tree = _Reader(text, source).read()
    if not isinstance(tree.value, dict):
        found = "a list" if isinstance(tree.value, tuple) else f"only {tree.value!r}"
        message = EMPTY if tree.value is None else f"a document is a mapping, found {found}"
        raise _fatal(source, message, line=tree.origin.line, column=tree.origin.column)
    return tree


def read_value(text: str, *, source: str) -> Tree:
    """Read a single YAML value, as `--set path=value` gives it.

    Raises:
        DocumentError: the text is not one YAML value.
    """
    return _Reader(text, source).read()


def _fatal(source: str, message: str, *, line: int = 0, column: int = 0) -> DocumentError:
    return DocumentError(
        [Problem(source=source, line=line, column=column, path="", message=message)]
    )


class _Reader:
    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source
        self._problems: list[Problem] = []
        self._anchors: dict[str, Tree | None] = {}
        self._values = 0

    def read(self) -> Tree:
        try:
            tree = self._document(yaml.parse(self._text, Loader=_LOADER))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = (mark.line + 1, mark.column + 1) if mark else (0, 0)
            message = f"not YAML: {error.problem or error.context}"
            raise _fatal(self._source, message, line=place[0], column=place[1]) from None
        except yaml.YAMLError as error:
            summary = " ".join(str(error).split())
            raise _fatal(self._source, f"not YAML: {summary}") from None
        if self._problems:
            raise DocumentError(self._problems)
        return tree

    def _document(self, events: Iterator[yaml.Event]) -> Tree:
        tree: Tree | None = None
        for event in events:
            if isinstance(event, yaml.StreamStartEvent | yaml.StreamEndEvent):
                continue
            if isinstance(event, yaml.DocumentStartEvent):
                if tree is not None:
                    self._refuse(event, "a second document in one file; write it as its own file")
                    break
                continue
            if isinstance(event, yaml.DocumentEndEvent):
                continue
            tree = self._value(event, events, depth=0)
        if tree is None:
            return Tree(value=None, origin=Origin(source=self._source, line=1, column=1))
        return tree

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], *, depth: int) -> Tree:
        if depth > DEEPEST:
            raise self._stop(event, f"nested deeper than {DEEPEST} levels")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if not isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
            raise self._stop(event, "a value is missing here")
        if event.tag is not None:
            self._refuse(event, f"the tag {event.tag!r} is not allowed; write the plain value")
        if event.anchor:
            self._anchors[event.anchor] = None
        self._count(event, 1)
        if isinstance(event, yaml.ScalarEvent):
            tree = Tree(value=self._scalar(event), origin=self._origin(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            tree = self._sequence(event, events, depth=depth)
        else:
            tree = self._mapping(event, events, depth=depth)
        if event.anchor:
            self._anchors[event.anchor] = tree
        return tree

    def _alias(self, event: yaml.AliasEvent) -> Tree:
        name = str(event.anchor)
        tree = self._anchors.get(name)
        if tree is None:
            known = name in self._anchors
            reason = "stands inside the value it names" if known else "names no earlier anchor"
            raise self._stop(event, f"the alias *{name} {reason}")
        self._count(event, tree.size)
        return tree

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        if not event.implicit[0]:  # quoted, or a block of text
            return str(event.value)
        try:
            return resolve(event.value)
        except ValueError as error:
            self._refuse(event, str(error))
            return 0

    def _sequence(self, start: yaml.Event, events: Iterator[yaml.Event], *, depth: int) -> Tree:
        children: list[Tree] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            children.append(self._value(event, events, depth=depth + 1))
        size = 1 + sum(child.size for child in children)
        return Tree(value=tuple(children), origin=self._origin(start), size=size)

    def _mapping(self, start: yaml.Event, events: Iterator[yaml.Event], *, depth: int) -> Tree:
        entries: dict[str, Entry] = {}
        size = 1
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, events, depth=depth)
            child = self._value(next(events), events, depth=depth + 1)
            size += child.size
            if key is None:
                continue
            if key in entries:
                first = entries[key].key_origin
                self._refuse(event, f"duplicate key {key!r}, first in line {first.line}")
            else:
                entries[key] = Entry(key_origin=self._origin(event), tree=child)
        return Tree(value=entries, origin=self._origin(start), size=size)

    def _key(self, event: yaml.Event, events: Iterator[yaml.Event], *, depth: int) -> str | None:
        tree = self._value(event, events, depth=depth + 1)
        if isinstance(tree.value, str):
            return tree.value
        if isinstance(event, yaml.ScalarEvent):
            shown = event.value or "(nothing)"
            self._refuse(event, f"the key {shown} is not a word; quote it if it is meant as text")
        else:
            self._refuse(event, "a key is a word, not a list or mapping")
        return None

    def _count(self, event: yaml.Event, values: int) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            raise self._stop(event, f"more than {MOST_VALUES} values once aliases are followed")

    def _origin(self, event: yaml.Event) -> Origin:
        mark = event.start_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        return Origin(source=self._source, line=line + 1, column=column + 1)

    def _refuse(self, event: yaml.Event, message: str) -> None:
        origin = self._origin(event)
        self._problems.append(
            Problem(
                source=origin.source,
                line=origin.line,
                column=origin.column,
                path="",
                message=message,
            )
        )

    def _stop(self, event: yaml.Event, message: str) -> DocumentError:
        self._refuse(event, message)
        return DocumentError(self._problems)
