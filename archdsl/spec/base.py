"""The habits every node of a document shares."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict

Argument = int | float | str | tuple[int, ...]
Arguments = dict[str, Argument]
"""Keyword arguments of a module, as a word of a document works them out."""

Weights = Literal["per_layer", "shared"]
"""Whether every layer has weights of its own for a word, or all layers use the same."""


class Node(BaseModel):
    """A frozen mapping of a document: unknown keys are refused; `8.0` is not a whole number."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )


def words(union: Any) -> dict[str, Any]:
    """The members of a union of nodes by the word in their `type`."""
    if isinstance(union, type) and issubclass(union, Node):
        return {str(word): union for word in get_args(union.model_fields["type"].annotation)}
    return {word: each for part in get_args(union) for word, each in words(part).items()}
