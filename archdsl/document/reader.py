"""YAML text to a `Tree`, with every problem of the text by line, column and path.

Built on PyYAML's event stream, not its constructors: tags are refused instead of obeyed, aliases
are shared and their expansion is bounded, duplicate keys are found, and depth is limited.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import yaml
import yaml.reader

from archdsl.document.repair import LOADER, repair
from archdsl.document.scalars import resolve
from archdsl.document.tree import Entry, KeyPath, Origin, Scalar, Tree, path_text
from archdsl.errors import DocumentError, Problem

MOST_VALUES = 50_000
DEEPEST = 40
MERGE = "<<"
MOST_REPAIRS = 8


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
    problems: list[Problem] = []
    while True:
        try:
            draft = _Reader(text, source).read()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            mended = repair(text, mark) if mark and len(problems) < MOST_REPAIRS else None
            if mended is None:
                raise DocumentError([*problems, _not_yaml(text, source, error)]) from None
            text = mended.text
            problems.append(_problem(source, mended.message, mended.line + 1, mended.column + 1))
        except DocumentError as error:
            raise DocumentError([*problems, *error.problems]) from None
        else:
            return replace(draft, problems=(*problems, *draft.problems))


def fatal(source: str, message: str, *, line: int = 0, column: int = 0) -> DocumentError:
    """The error of a text that cannot be read at all."""
    return DocumentError([_problem(source, message, line, column)])


def _problem(source: str, message: str, line: int, column: int) -> Problem:
    return Problem(source=source, line=line, column=column, path="", message=message)


def _not_yaml(text: str, source: str, error: yaml.MarkedYAMLError) -> Problem:
    """What the parser says, where nothing better is known."""
    mark = error.problem_mark or error.context_mark
    message = f"not YAML: {error.problem or error.context}"
    if mark is None:
        return _problem(source, message, 0, 0)
    line = text.split("\n")[mark.line : mark.line + 1]
    if line and line[0][mark.column : mark.column + 1] == "\t":
        message = "not YAML: a tab stands here; indent with spaces"
    return _problem(source, message, mark.line + 1, mark.column + 1)


def _is_plain(event: yaml.Event) -> bool:
    """Whether it is a word without quotes."""
    return isinstance(event, yaml.ScalarEvent) and bool(event.implicit[0])


def _is_empty(event: yaml.Event) -> bool:
    return isinstance(event, yaml.ScalarEvent) and _is_plain(event) and not event.value


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
            tree = self._document(yaml.parse(self._text, Loader=LOADER))
        except (yaml.reader.ReaderError, UnicodeEncodeError) as error:
            raise self._unreadable(error) from None
        return Draft(tree=tree, problems=tuple(self._problems), doubtful=tuple(self._doubtful))

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
        return self._resolved(event, event.value, path)

    def _resolved(self, event: yaml.Event, text: str, path: KeyPath) -> Scalar:
        try:
            return resolve(text)
        except ValueError as error:
            self._refuse(event, str(error), path)
            return text

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
        merged: dict[str, Entry] = {}
        size = 1
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, events, path=path)
            value = next(events)
            child = self._value(value, events, path=(*path, key or "?"))
            size += child.size
            if key is None:
                continue
            if key == MERGE and _is_plain(event):
                merged = self._merged(value, child, (*path, key)) | merged
                continue
            if _is_plain(event) and _is_empty(value):
                key, child = self._spaced(event, key, child, path)
            if key in entries:
                first = entries[key].key_origin
                message = f"duplicate key {key!r}, first in line {first.line}"
                self._refuse(event, message, (*path, key))
            else:
                entries[key] = Entry(key_origin=self._origin(event), tree=child)
        return Tree(value=merged | entries, origin=self._origin(start), size=size)

    def _merged(self, event: yaml.Event, child: Tree, path: KeyPath) -> dict[str, Entry]:
        """What `<<` puts into a mapping where it has no such key; of a list the first counts."""
        entries: dict[str, Entry] = {}
        for each in child.value if isinstance(child.value, tuple) else (child,):
            if not isinstance(each.value, Mapping):
                message = "a merge key takes a mapping or a list of mappings, such as <<: *name"
                self._refuse(event, message, path)
                return {}
            entries = {**each.value, **entries}
        return entries

    def _spaced(self, event: yaml.Event, key: str, child: Tree, path: KeyPath) -> tuple[str, Tree]:
        """A pair that YAML reads as a key alone, as `{depth:2}`: refused, and read as meant."""
        word, _, text = key.partition(":")
        if not word.isidentifier() or not text:
            return key, child
        message = f"a space is missing after the colon: write '{word}: {text}'"
        self._refuse(event, message)
        origin = self._origin(event)
        origin = replace(origin, column=origin.column + len(word) + 1)
        return word, Tree(value=self._resolved(event, text, (*path, word)), origin=origin)

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
