"""A tree against a pydantic schema: all problems at once, in a user's words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from archdsl.document.fields import field_names
from archdsl.document.messages import nearest, sentence
from archdsl.document.tree import Tree, path_text
from archdsl.errors import DocumentError, Problem

LANGUAGE = 1
"""The version of the language this package reads."""

Model = TypeVar("Model", bound=BaseModel)
Path = tuple[str | int, ...]


def validate(tree: Tree, model: type[Model]) -> Model:
    """Make `model` of a document.

    Raises:
        DocumentError: every problem found.
    """
    problems = newer_version(tree)
    if problems:
        raise DocumentError(problems)
    try:
        return model.model_validate(tree.plain())
    except ValidationError as error:
        raise DocumentError(located(tree, model, error)) from None


def newer_version(tree: Tree) -> list[Problem]:
    """A document of a newer language is refused for that alone: its words mean nothing here."""
    version = tree.child("archdsl")
    if version is None or type(version.value) is not int or version.value <= LANGUAGE:
        return []
    message = (
        f"language version {version.value} is newer than {LANGUAGE}, the newest this archdsl "
        "reads; upgrade archdsl"
    )
    return [problem(tree, ("archdsl",), message)]


def located(tree: Tree, model: type[BaseModel], error: ValidationError) -> list[Problem]:
    """The problems of a failed validation, one for each place."""
    problems: dict[tuple[str, str], Problem] = {}
    for path, message, on_key in found_in(tree, model, error):
        made = problem(tree, path, message, key=on_key)
        problems.setdefault((made.path, made.message), made)
    return list(problems.values())


def found_in(
    tree: Tree, model: type[BaseModel], error: ValidationError
) -> list[tuple[Path, str, bool]]:
    """(path, message, whether it is about the key) for each error of a failed validation."""
    found = []
    for item in error.errors(include_url=False):
        kind = item["type"]
        path, tags = _without_tags(tree, item["loc"], missing=kind == "missing")
        if kind == "extra_forbidden":
            allowed = field_names(model, path[:-1], tags)
            hint = nearest(str(path[-1]), allowed)
            ending = f"; did you mean '{hint}'?" if hint else f"; known here: {', '.join(allowed)}"
            found.append((path, f"unknown key{ending}", True))
            continue
        if kind in ("union_tag_invalid", "union_tag_not_found"):
            path = (*path, "type")
        if path and path[-1] == "type" and _is_word(tree.at(path[:-1])):
            path = path[:-1]  # a word written in place of a mapping with its type
        found.append((path, sentence(item), False))
    return found


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
) -> tuple[Path, tuple[str, ...]]:
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
