"""Holes: values of a study's space that are still to be decided.

`{choose: [values]}`, `{choose: {label: partial}}`, `{range: [low, high], step: n}`; `as: d` names a
hole and `{same: d}` repeats its value. Options may hold further holes, which exist only under
their option.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

from archdsl.document.messages import one_of, shown
from archdsl.document.tree import Entry, Origin, Scalar, Tree
from archdsl.document.validate import problem
from archdsl.errors import Problem

MOST_STEPS = 10_000
ALMOST = 0.8
"""How alike a misspelt word of a hole is (difflib's ratio); `name` and `same` are at 0.75."""
BASE = "base"
"""Name of the choice among bases."""
WHOLE = "space"
"""Name of a hole in place of the whole partial document."""
_WORDS = {"choose": ("choose", "as"), "range": ("range", "step", "as"), "same": ("same",)}


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """A value without holes."""

    tree: Tree


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A mapping with holes somewhere in it."""

    tree: Tree
    parts: Mapping[str, Part]


@dataclass(frozen=True, kw_only=True)
class Same:
    """The value of another hole again."""

    name: str
    tree: Tree


@dataclass(frozen=True, kw_only=True)
class Hole:
    """One decision.

    Args:
        name: unique in its space: where the hole stands, or its `as`.
        labels: how the options are stored and shown, in order.
        options: what each option puts in place; `range` holes have plain numbers.
        span: (low, high, step) of a `range`, else None.
        tree: where it was written.
    """

    name: str
    labels: tuple[Scalar, ...]
    options: tuple[Part, ...]
    span: tuple[float, float, float] | None
    tree: Tree

    def origin(self, index: int) -> Origin:
        """Where an option was written."""
        options = self.tree.child("choose")
        if options is None or self.span is not None:
            return self.tree.origin
        labelled = isinstance(options.value, Mapping)
        return options.nearest_origin([str(self.labels[index]) if labelled else index])


Part = Fixed | Branch | Same | Hole


class Decider(Protocol):
    """Whoever fills holes: a sampler, an enumeration, a stored candidate."""

    def decide(self, hole: Hole) -> int:
        """Index of the option to take."""


def fill(part: Part, decider: Decider) -> Tree:
    """The tree with every hole decided; holes of options not taken are never asked."""
    return _fill(part, decider, {})


def _fill(part: Part, decider: Decider, named: dict[str, Tree]) -> Tree:
    if isinstance(part, Fixed):
        return part.tree
    if isinstance(part, Same):
        return named[part.name]
    if isinstance(part, Hole):
        chosen = _fill(part.options[decider.decide(part)], decider, named)
        named[part.name] = chosen
        return chosen
    written = part.tree.value
    assert isinstance(written, Mapping)
    entries = {
        key: Entry(key_origin=written[key].key_origin, tree=_fill(child, decider, named))
        for key, child in part.parts.items()
    }
    return Tree(value=entries, origin=part.tree.origin)


def fixed(part: Part) -> Tree | None:
    """What is said whatever is decided; None if that is nothing."""
    if isinstance(part, Fixed):
        return part.tree
    if not isinstance(part, Branch):
        return None
    written = part.tree.value
    assert isinstance(written, Mapping)
    found = {key: fixed(child) for key, child in part.parts.items()}
    entries = {
        key: Entry(key_origin=written[key].key_origin, tree=tree)
        for key, tree in found.items()
        if tree
    }
    return Tree(value=entries, origin=part.tree.origin)


def size(part: Part) -> int:
    """How many ways there are to decide."""
    if isinstance(part, Hole):
        return sum(size(option) for option in part.options)
    if isinstance(part, Branch):
        total = 1
        for child in part.parts.values():
            total *= size(child)
        return total
    return 1


def holes(part: Part) -> Iterator[Hole]:
    """Every hole, those inside options too."""
    if isinstance(part, Hole):
        yield part
        for option in part.options:
            yield from holes(option)
    if isinstance(part, Branch):
        for child in part.parts.values():
            yield from holes(child)


def parse(tree: Tree) -> tuple[Part, list[Problem]]:
    """Find the holes of a partial document; all that is wrong with them."""
    parser = _Parser(tree)
    return parser.part(tree, (), ""), parser.problems


class _Parser:
    def __init__(self, root: Tree) -> None:
        self.problems: list[Problem] = []
        self._names = {BASE}
        self._decided: list[str] = []
        self._root = root

    def part(self, tree: Tree, path: tuple[str | int, ...], name: str) -> Part:
        """`path` is where the part is written, `name` what a hole there is called."""
        kind = _kind(tree)
        if kind == "choose":
            return self._choose(tree, path, name)
        if kind == "range":
            return self._range(tree, path, name)
        if kind == "same":
            return self._same(tree, path)
        if isinstance(tree.value, tuple):
            if any(_has_hole(child) for child in tree.value):
                self._refuse(path, "holes stand for whole values, not for items of a list")
            return Fixed(tree=tree)
        if not isinstance(tree.value, Mapping):
            return Fixed(tree=tree)
        self._refuse_misspelt(tree, path)
        parts = {
            key: self.part(entry.tree, (*path, key), f"{name}.{key}" if name else key)
            for key, entry in tree.value.items()
        }
        if all(isinstance(part, Fixed) for part in parts.values()):
            return Fixed(tree=tree)
        return Branch(tree=tree, parts=parts)

    def _choose(self, tree: Tree, path: tuple[str | int, ...], name: str) -> Part:
        name = self._name(tree, path, name)
        self._refuse_keys(tree, path, "choose")
        body = tree.child("choose")
        assert body is not None
        labelled: list[tuple[Scalar, str | int, Tree]]
        if isinstance(body.value, Mapping):
            labelled = [(label, label, entry.tree) for label, entry in body.value.items()]
        elif isinstance(body.value, tuple):
            labelled = [(_label(child), n, child) for n, child in enumerate(body.value)]
        else:
            self._refuse((*path, "choose"), f"{shown(body.value)} is not a list of options")
            return Fixed(tree=tree)
        if not labelled:
            self._refuse((*path, "choose"), "no options to choose from")
            return Fixed(tree=tree)
        labels = [label for label, _, _ in labelled]
        seen: set[Scalar] = set()
        for label in labels:
            if label in seen:
                self._refuse((*path, "choose"), f"the option {shown(label)} stands there twice")
            seen.add(label)
        options = tuple(
            self._option(child, (*path, "choose", step), f"{name}[{_written(label)}]")
            for label, step, child in labelled
        )
        self._decided.append(name)
        return Hole(name=name, labels=tuple(labels), options=options, span=None, tree=tree)

    def _option(self, tree: Tree, path: tuple[str | int, ...], name: str) -> Part:
        """What is decided inside an option is known inside it alone."""
        before = len(self._decided)
        option = self.part(tree, path, name)
        del self._decided[before:]
        return option

    def _range(self, tree: Tree, path: tuple[str | int, ...], name: str) -> Part:
        name = self._name(tree, path, name)
        self._refuse_keys(tree, path, "range")
        ends = _numbers(tree.child("range"))
        if len(ends) != 2 or ends[0] > ends[1]:
            self._refuse((*path, "range"), "a range is [low, high] with low <= high")
            return Fixed(tree=tree)
        low, high = ends
        written = tree.child("step")
        steps = _numbers(written) if written else [1] if _whole(low, high) else []
        if len(steps) != 1 or steps[0] <= 0:
            message = "a step is a number above 0; a range of fractions needs one"
            self._refuse((*path, "step"), message)
            return Fixed(tree=tree)
        step = steps[0]
        steps_up = (high - low) / step + 1e-9  # infinite where no number has room for so many
        if not steps_up < MOST_STEPS:
            found = f"{int(steps_up) + 1}" if steps_up < 1e15 else "so many"
            message = f"{found} values are more than {MOST_STEPS}; widen the step"
            self._refuse((*path, "range"), message)
            return Fixed(tree=tree)
        values = [_exact(low + index * step) for index in range(int(steps_up) + 1)]
        if _whole(low, step):
            values = [int(value) for value in values]
        options = tuple(Fixed(tree=Tree(value=value, origin=tree.origin)) for value in values)
        span = (float(low), float(values[-1]), float(step))
        self._decided.append(name)
        return Hole(name=name, labels=tuple(values), options=options, span=span, tree=tree)

    def _same(self, tree: Tree, path: tuple[str | int, ...]) -> Part:
        self._refuse_keys(tree, path, "same")
        named = tree.child("same")
        name = named.plain() if named else None
        if not isinstance(name, str) or name not in self._decided:
            self._refuse((*path, "same"), self._unknown(name))
            return Fixed(tree=tree)
        return Same(name=name, tree=tree)

    def _unknown(self, name: object) -> str:
        if isinstance(name, str) and name in self._names:
            return f"'{name}' is not decided here: it stands inside another option, or around this"
        if not self._decided:
            return f"{shown(name)} names no hole; a hole is named above, {{choose: […], as: NAME}}"
        return f"{one_of(name, sorted(self._decided))} (holes written above this one)"

    def _name(self, tree: Tree, path: tuple[str | int, ...], name: str) -> str:
        written = tree.child("as")
        if written is not None:
            if not isinstance(written.value, str) or not written.value:
                self._refuse((*path, "as"), f"{shown(written.plain())} is not a name")
            else:
                name = written.value
        name = name or WHOLE
        if name in self._names:
            self._refuse((*path, "as"), f"two holes are named '{name}'")
        self._names.add(name)
        return name

    def _refuse_keys(self, tree: Tree, path: tuple[str | int, ...], kind: str) -> None:
        assert isinstance(tree.value, Mapping)
        for key in tree.value:
            if key not in _WORDS[kind]:
                message = f"unknown key in a hole; known here: {', '.join(_WORDS[kind])}"
                self.problems.append(problem(self._root, (*path, key), message, key=True))

    def _refuse_misspelt(self, tree: Tree, path: tuple[str | int, ...]) -> None:
        """A mapping that would be a hole but for one letter or two."""
        assert isinstance(tree.value, Mapping)
        for key, entry in tree.value.items():
            meant = get_close_matches(key.lower(), ("choose", "range"), n=1, cutoff=ALMOST)
            if meant and isinstance(entry.tree.value, tuple | Mapping):
                message = f"unknown key; did you mean '{meant[0]}'?"
                self.problems.append(problem(self._root, (*path, key), message, key=True))

    def _refuse(self, path: tuple[str | int, ...], message: str) -> None:
        self.problems.append(problem(self._root, path, message))


def _kind(tree: Tree) -> str | None:
    if not isinstance(tree.value, Mapping):
        return None
    return next((word for word in _WORDS if word in tree.value), None)


def _has_hole(tree: Tree) -> bool:
    if _kind(tree):
        return True
    if isinstance(tree.value, tuple):
        return any(_has_hole(child) for child in tree.value)
    if isinstance(tree.value, Mapping):
        return any(_has_hole(entry.tree) for entry in tree.value.values())
    return False


def _label(option: Tree) -> Scalar:
    """A scalar is its own label; a mapping goes by its text."""
    if isinstance(option.value, tuple | Mapping):
        return str(option.plain())
    return option.value


def _written(label: Scalar) -> str:
    return "null" if label is None else str(label)


def _numbers(tree: Tree | None) -> list[int | float]:
    """The numbers of a list or of a single value; empty if anything else is among them."""
    plain = tree.plain() if tree else []
    found = plain if isinstance(plain, list) else [plain]
    numbers = [n for n in found if isinstance(n, int | float) and not isinstance(n, bool)]
    return numbers if len(numbers) == len(found) else []


def _whole(*values: object) -> bool:
    return all(type(value) is int for value in values)


def _exact(value: float) -> float:
    """0.1 + 2 * 0.1 is written 0.3."""
    return float(f"{value:.12g}")
