"""Which keys a schema allows at a path, so that a misspelling can be answered with the nearest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel


def field_names(
    model: type[BaseModel], path: Iterable[str | int], tags: Iterable[str] = ()
) -> list[str]:
    """Keys allowed in the mapping at `path`; `tags` name members of unions passed on the way."""
    candidates = _models_at(model, path)
    tagged = [c for c in candidates if set(tags) & set(_tags_of(c))]
    names = [name for c in tagged or candidates for name in c.model_fields]
    return list(dict.fromkeys(names))


def members(model: type[BaseModel], path: Iterable[str | int]) -> dict[str, type[BaseModel]]:
    """The members of the union at `path` by the word in their `type`."""
    return {word: each for each in _models_at(model, path) for word in _tags_of(each)}


def _models_at(model: type[BaseModel], path: Iterable[str | int]) -> list[type[BaseModel]]:
    candidates = [model]
    for step in path:
        if isinstance(step, int):
            continue
        fields = [c.model_fields[step] for c in candidates if step in c.model_fields]
        candidates = [found for field in fields for found in _models_in(field.annotation)]
    return candidates


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if hasattr(annotation, "__value__"):  # a named type alias
        return _models_in(annotation.__value__)
    return [found for part in get_args(annotation) for found in _models_in(part)]


def _tags_of(model: type[BaseModel]) -> tuple[str, ...]:
    field = model.model_fields.get("type")
    if field is None or get_origin(field.annotation) is not Literal:
        return ()
    return tuple(str(word) for word in get_args(field.annotation))
