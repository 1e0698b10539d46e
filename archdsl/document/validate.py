"""A tree against a pydantic schema: all problems at once, in a user's words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from archdsl.document.fields import field_names, members
from archdsl.document.messages import nearest, sentence, shown
from archdsl.document.misplaced import belongs_to
from archdsl.document.tree import KeyPath, Tree, path_text
from archdsl.errors import DocumentError, Problem

LANGUAGE = 1
"""The version of the language this package reads."""

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class Flaw:
    """One thing a schema refuses.

    Args:
        path: of the value (or key) that is wrong or missing.
        message: what was found, what is allowed.
        on_key: whether it is about the last key of `path` itself rather than about its value.
        meant: the known key that an unknown one most probably stands for.
    """

    path: KeyPath
    message: str
    on_key: bool = False
    meant: str | None = None


def validate(tree: Tree, model: type[Model]) -> Model:
    """Make `model` of a document.

    Raises:
        DocumentError: every problem found.
    """
    refuse_newer_version(tree)
    made, flaws = judge(tree, model)
    if made is None:
        raise DocumentError(located(tree, flaws))
    return made


def refuse_newer_version(tree: Tree) -> None:
    """A document of a newer language is refused for that alone: its words mean nothing here.

    Raises:
        DocumentError: the document is of a newer version.
    """
    version = tree.child("archdsl")
    if version is None or type(version.value) is not int or version.value <= LANGUAGE:
        return
    message = (
        f"language version {version.value} is newer than {LANGUAGE}, the newest this archdsl "
        "reads; upgrade archdsl"
    )
    raise DocumentError([problem(tree, ("archdsl",), message)])


def judge(
    tree: Tree, model: type[Model], *, written: Tree | None = None
) -> tuple[Model | None, list[Flaw]]:
    """`model` made of a document, or everything its schema refuses.

    Args:
        tree: the document.
        model: its schema.
        written: the document before nulls deleted words of it.
    """
    flaws = _not_a_version(tree)
    made = None
    try:
        made = model.model_validate(tree.plain())
    except ValidationError as error:
        known = {flaw.path for flaw in flaws}
        flaws += [flaw for flaw in found_in(tree, model, error) if flaw.path not in known]
    return (None if flaws else made), [_placed(flaw, written or tree, model) for flaw in flaws]


def _placed(flaw: Flaw, tree: Tree, model: type[BaseModel]) -> Flaw:
    """An unknown key, with the mapping near it that knows it: the indentation may be wrong."""
    if not flaw.on_key or flaw.meant:
        return flaw
    place = belongs_to(tree, model, flaw.path)
    return replace(flaw, message=f"unknown key; {place}") if place else flaw


def _not_a_version(tree: Tree) -> list[Flaw]:
    """Python takes 1.0 and true for equal to 1; a person who writes them means something else."""
    version = tree.child("archdsl")
    if version is None or not isinstance(version.value, bool | float):
        return []
    return [Flaw(path=("archdsl",), message=f"{shown(version.value)} is not a whole number")]


def located(tree: Tree, flaws: Iterable[Flaw]) -> list[Problem]:
    """The problems that flaws are, each at its place in the text, equal ones once."""
    problems = [problem(tree, flaw.path, flaw.message, key=flaw.on_key) for flaw in flaws]
    return list(dict.fromkeys(problems))


def found_in(tree: Tree, model: type[BaseModel], error: ValidationError) -> list[Flaw]:
    """The flaws of a failed validation; a key is not missing where its misspelling stands."""
    found: list[Flaw] = []
    missing: list[Flaw] = []
    for item in error.errors(include_url=False):
        kind = item["type"]
        path, tags = _without_tags(tree, item["loc"], missing=kind == "missing")
        if kind == "extra_forbidden":
            found.append(_unknown_key(path, field_names(model, path[:-1], tags)))
            continue
        if kind in ("union_tag_invalid", "union_tag_not_found"):
            found += _of_any_type(tree, model, path)
            path = (*path, "type")
        if path and path[-1] == "type" and _is_word(tree.at(path[:-1])):
            path = path[:-1]  # a word written in place of a mapping with its type
        message = sentence(item)
        if kind == "missing" and tree.is_removed(path):
            message = "missing: removed here"
        flaw = Flaw(path=path, message=message)
        absent = kind in ("missing", "union_tag_not_found")
        (missing if absent else found).append(flaw)
    misspelt = {(*flaw.path[:-1], flaw.meant) for flaw in found if flaw.meant}
    return found + [flaw for flaw in missing if flaw.path not in misspelt]


def _of_any_type(tree: Tree, model: type[BaseModel], path: KeyPath) -> list[Flaw]:
    """What is wrong with a node whose `type` cannot be read, whichever it was meant to be: the
    flaws that all members of its union find, such as of a word that all of them have."""
    node = tree.at(path)
    if node is None or not isinstance(node.value, Mapping):
        return []
    judged = [_as_type(node, word, each) for word, each in members(model, path).items()]
    return [
        replace(flaw, path=(*path, *flaw.path))
        for flaw in (judged[0] if judged else ())
        if all(flaw in others for others in judged)
    ]


def _as_type(node: Tree, word: str, member: type[BaseModel]) -> list[Flaw]:
    try:
        member.model_validate({**node.plain(), "type": word})
    except ValidationError as error:
        return found_in(node, member, error)
    return []


def unknown_nulls(tree: Tree, model: type[BaseModel]) -> list[Flaw]:
    """Keys that no schema knows and whose `null` therefore deletes nothing."""
    flaws = []
    for path in _nulls(tree, ()):
        allowed = field_names(model, path[:-1])
        if allowed and path[-1] not in allowed:
            flaws.append(_placed(_unknown_key(path, allowed), tree, model))
    return flaws


def _nulls(tree: Tree, path: KeyPath) -> Iterator[KeyPath]:
    if isinstance(tree.value, Mapping):
        for key, entry in tree.value.items():
            if entry.tree.value is None:
                yield (*path, key)
            yield from _nulls(entry.tree, (*path, key))


def _unknown_key(path: KeyPath, allowed: Sequence[str]) -> Flaw:
    if path[-1] in allowed:  # of another kind of node than the keys beside it
        message = "does not go with the other keys here; leave it out (null removes it), or them"
        return Flaw(path=path, message=message, on_key=True)
    meant = nearest(str(path[-1]), allowed)
    ending = f"did you mean '{meant}'?" if meant else f"known here: {', '.join(allowed)}"
    return Flaw(path=path, message=f"unknown key; {ending}", on_key=True, meant=meant)


def _is_word(tree: Tree | None) -> bool:
    return tree is not None and isinstance(tree.value, str)


def problem(tree: Tree, path: Sequence[str | int], message: str, *, key: bool = False) -> Problem:
    """A problem at a path of a tree, with the place the value (or its key) was written at."""
    origin = tree.nearest_origin(path, key=key)
    return Problem(
        source=origin.source,
        line=origin.line,
        column=origin.column,
        path=path_text(path),
        message=message,
    )


def _without_tags(
    tree: Tree, loc: Iterable[str | int], *, missing: bool
) -> tuple[KeyPath, tuple[str, ...]]:
    """Pydantic's location without the union tags it puts between the steps a user wrote.

    Only a missing key may be absent from the tree; every other absent step is a tag.
    """
    steps = list(loc)
    path: list[str | int] = []
    tags: list[str] = []
    here: Tree | None = tree
    for position, step in enumerate(steps):
        child = here.child(step) if here else None
        if child is None and not (missing and position == len(steps) - 1):
            tags.append(str(step))
            continue
        path.append(step)
        here = child
    return tuple(path), tuple(tags)
