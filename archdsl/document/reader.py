"""YAML text to a `Tree`, with every problem of the text by line, column and path.

Built on PyYAML's event stream, not its constructors: tags are refused instead of obeyed, aliases
are shared and their expansion is bounded, duplicate keys are found, and depth is limited.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml
import yaml.reader

from archdsl.document.scalars import resolve
from archdsl.document.tree import Entry, KeyPath, Origin, Scalar, Tree, path_text
from archdsl.errors import DocumentError, Problem

MOST_VALUES = 50_000
DEEPEST = 40

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A document as far as its text could be read.

    Args:
        tree: what was read.
        problems: what is wrong with the text (duplicate keys, tags, …) and did not end the reading.
        doubtful: paths of the values these problems leave in doubt.
    """

    tree: Tree
    problems: tuple[Problem, ...] = ()
    doubtful: tuple[KeyPath, ...] = ()

    def whole(self) -> Tree:
        """The tree of a text without problems.

        Raises:
            DocumentError: every problem of the text.
        """
        if self.problems:
            raise DocumentError(self.problems)
        return self.tree


def read(text: str, *, source: str) -> Draft:
    """Read one YAML value; `source` names the text in messages.

    Raises:
        DocumentError: the text is not YAML, or too large or too deep to go on.
    """
    return _Reader(text, source).read()


def fatal(source: str, message: str, *, line: int = 0, column: int = 0) -> DocumentError:
    """The error of a text that cannot be read at all."""
    return DocumentError(
        [Problem(source=source, line=line, column=column, path="", message=message)]
    )


class _Reader:
    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source
        self._problems: list[Problem] = []
        self._doubtful: list[KeyPath] = []
        self._anchors: dict[str, Tree | None] = {}
        self._values = 0

    def read(self) -> Draft:
        try:
            tree = self._document(yaml.parse(self._text, Loader=_LOADER))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = (mark.line + 1, mark.column + 1) if mark else (0, 0)
            message = f"not YAML: {error.problem or error.context}"
            if mark and self._is_tab(mark):
                message = "not YAML: a tab stands here; indent with spaces"
            raise fatal(self._source, message, line=place[0], column=place[1]) from None
        except (yaml.reader.ReaderError, UnicodeEncodeError) as error:
            raise self._unreadable(error) from None
        return Draft(tree=tree, problems=tuple(self._problems), doubtful=tuple(self._doubtful))

    def _is_tab(self, mark: yaml.Mark) -> bool:
        lines = self._text.split("\n")
        return mark.line < len(lines) and lines[mark.line][mark.column : mark.column + 1] == "\t"

    def _unreadable(self, error: yaml.reader.ReaderError | UnicodeEncodeError) -> DocumentError:
        if isinstance(error, UnicodeEncodeError):
            character = error.object[error.start]
        else:
            character = chr(error.character)
        before = self._text.partition(character)[0]
        message = f"not YAML: the character U+{ord(character):04X} is not allowed in a text"
        column = len(before) - (before.rfind("\n") + 1) + 1
        return fatal(self._source, message, line=before.count("\n") + 1, column=column)

    def _document(self, events: Iterator[yaml.Event]) -> Tree:
        tree: Tree | None = None
        for event in events:
            if isinstance(event, yaml.StreamStartEvent | yaml.StreamEndEvent):
                continue
            if isinstance(event, yaml.DocumentStartEvent):
                if tree is not None:
                    message = "a second document in one file; write it as its own file"
                    self._refuse(event, message)
                    break
                continue
            if isinstance(event, yaml.DocumentEndEvent):
                continue
            tree = self._value(event, events, path=())
        if tree is None:
            return Tree(value=None, origin=Origin(source=self._source, line=1, column=1))
        return tree

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], *, path: KeyPath) -> Tree:
        if len(path) > DEEPEST:
            raise self._stop(event, f"nested deeper than {DEEPEST} levels", path[:3])
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        if not isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
            raise self._stop(event, "a value is missing here", path)
        if event.tag is not None:
            message = f"the tag {event.tag!r} is not allowed; write the plain value"
            self._refuse(event, message, path)
        if event.anchor:
            self._anchors[event.anchor] = None
        self._count(event, 1, path)
        if isinstance(event, yaml.ScalarEvent):
            tree = Tree(value=self._scalar(event, path), origin=self._origin(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            tree = self._sequence(event, events, path=path)
        else:
            tree = self._mapping(event, events, path=path)
        if event.anchor:
            self._anchors[event.anchor] = tree
        return tree

    def _alias(self, event: yaml.AliasEvent, path: KeyPath) -> Tree:
        name = str(event.anchor)
        tree = self._anchors.get(name)
        if tree is None:
            known = name in self._anchors
            reason = "stands inside the value it names" if known else "names no earlier anchor"
            raise self._stop(event, f"the alias *{name} {reason}", path)
        self._count(event, tree.size, path)
        return tree

    def _scalar(self, event: yaml.ScalarEvent, path: KeyPath) -> Scalar:
        if not event.implicit[0]:  # quoted, or a block of text
            return str(event.value)
        try:
            return resolve(event.value)
        except ValueError as error:
            self._refuse(event, str(error), path)
            return str(event.value)

    def _sequence(self, start: yaml.Event, events: Iterator[yaml.Event], *, path: KeyPath) -> Tree:
        children: list[Tree] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            children.append(self._value(event, events, path=(*path, len(children))))
        size = 1 + sum(child.size for child in children)
        return Tree(value=tuple(children), origin=self._origin(start), size=size)

    def _mapping(self, start: yaml.Event, events: Iterator[yaml.Event], *, path: KeyPath) -> Tree:
        entries: dict[str, Entry] = {}
        size = 1
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, events, path=path)
            child = self._value(next(events), events, path=(*path, key or "?"))
            size += child.size
            if key is None:
                continue
            if key in entries:
                first = entries[key].key_origin
                message = f"duplicate key {key!r}, first in line {first.line}"
                self._refuse(event, message, (*path, key))
            else:
                entries[key] = Entry(key_origin=self._origin(event), tree=child)
        return Tree(value=entries, origin=self._origin(start), size=size)

    def _key(self, event: yaml.Event, events: Iterator[yaml.Event], *, path: KeyPath) -> str | None:
        tree = self._value(event, events, path=(*path, "?"))
        if isinstance(tree.value, str):
            return tree.value
        if isinstance(event, yaml.ScalarEvent):
            shown = event.value or "(nothing)"
            message = f"the key {shown} is not a word; quote it if it is meant as text"
            self._refuse(event, message, (*path, shown))
        else:
            self._refuse(event, "a key is a word, not a list or mapping", path)
        return None

    def _count(self, event: yaml.Event, values: int, path: KeyPath) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            message = f"more than {MOST_VALUES} values once aliases are followed"
            raise self._stop(event, message, path)

    def _origin(self, event: yaml.Event) -> Origin:
        mark = event.start_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        return Origin(source=self._source, line=line + 1, column=column + 1)

    def _refuse(self, event: yaml.Event, message: str, path: KeyPath = ()) -> None:
        origin = self._origin(event)
        self._problems.append(
            Problem(
                source=origin.source,
                line=origin.line,
                column=origin.column,
                path=path_text(path),
                message=message,
            )
        )
        if path:
            self._doubtful.append(path)

    def _stop(self, event: yaml.Event, message: str, path: KeyPath) -> DocumentError:
        self._refuse(event, message, path)
        return DocumentError(self._problems)
