"""How what a head has read or written joins the stream it is for (the paper, section 3.2.3)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from archdsl.spec.base import Arguments, Node, words
from archdsl.spec.cost import Cost, linear


class _Plain(Node):
    """A fusion without weights of its own."""

    fixes_tokens: ClassVar[bool] = False
    revision: ClassVar[int] = 1
    """Raised when its module computes something else: trainings of before are then not found."""

    @property
    def shared(self) -> bool:
        """There is nothing to share."""
        return False

    def arguments(self, *, tokens: int, dim: int) -> Arguments:
        """Keyword arguments of the module for that many target tokens."""
        return {}

    @staticmethod
    def cost() -> Cost:
        """Additions are not counted."""
        return Cost()


class AddFusion(_Plain):
    """target + read (the paper's Add)."""

    type: Literal["add"]


class EraseFusion(_Plain):
    """The read in place of the target (the paper's Erase)."""

    type: Literal["erase"]


class AddEraseFusion(Node):
    """(1 - a) target + a read, one learned weight a for each token (the paper's Eq. 10)."""

    type: Literal["add_erase"]
    gate: Literal["shared", "per_layer"] = "shared"
    """One gate for all layers (as published: one for reads, one for writes), or each its own."""
    fixes_tokens: ClassVar[bool] = True
    revision: ClassVar[int] = 1

    @property
    def shared(self) -> bool:
        """Whether all layers use the same gate."""
        return self.gate == "shared"

    def arguments(self, *, tokens: int, dim: int) -> Arguments:
        """Keyword arguments of the module: the number of tokens is part of the weights."""
        return {"tokens": tokens, "dim": dim}

    @staticmethod
    def cost(*, tokens: int, dim: int) -> Cost:
        """Cost of the gate."""
        return linear(1, dim, tokens)


_Union = AddFusion | EraseFusion | AddEraseFusion


def _word(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


def _shortest(value: Node) -> Any:
    fields = value.model_dump(exclude_defaults=True)
    return fields["type"] if len(fields) == 1 else fields


_SCHEMA = {
    "anyOf": [
        {"enum": list(words(_Union))},
        *(each.model_json_schema() for each in words(_Union).values()),
    ]
}

Fusion = Annotated[
    Annotated[_Union, Field(discriminator="type")],
    BeforeValidator(_word),
    # Short in documents only: exceptions by layer are merged over the mapping.
    PlainSerializer(_shortest, when_used="json"),
    WithJsonSchema(_SCHEMA),
]
"""Union of all fusions; written as a word, or as a mapping with its type."""
