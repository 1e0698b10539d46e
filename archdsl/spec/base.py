"""The habits every node of a document shares."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from archdsl.identity import left_out

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


YOUNGER = "a word younger than what is stored"
"""Marks a field of a `StoredNode`: `word: Annotated[bool, YOUNGER] = False`."""


class StoredNode(Node):
    """A node that is digested and stored: measurements, trainings and studies are found by it.

    Wherever it is written, fields marked `YOUNGER` are left out at their defaults. Every field that
    is added to such a node bears the mark.
    """

    @model_serializer(mode="wrap")
    def _without_younger(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        omitted = left_out(self, _younger(type(self)))
        fields: dict[str, Any] = write(self)
        return {name: value for name, value in fields.items() if name not in omitted}


@cache
def _younger(node: type[BaseModel]) -> dict[str, Any]:
    return {
        name: field.get_default(call_default_factory=True)
        for name, field in node.model_fields.items()
        if YOUNGER in field.metadata
    }


def words(union: Any) -> dict[str, Any]:
    """The members of a union of nodes by the word in their `type`."""
    if isinstance(union, type) and issubclass(union, Node):
        return {str(word): union for word in get_args(union.model_fields["type"].annotation)}
    return {word: each for part in get_args(union) for word, each in words(part).items()}
