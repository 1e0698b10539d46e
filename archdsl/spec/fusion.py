"""How what a head has read or written joins the stream it is for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from archdsl.spec.base import Node


class AddFusion(Node):
    """target + read (the paper's Add)."""

    type: Literal["add"]


def _word(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


def _shortest(value: Node) -> Any:
    fields = value.model_dump(exclude_none=True)
    return fields["type"] if len(fields) == 1 else fields


_SCHEMA = {"anyOf": [{"enum": ["add"]}, AddFusion.model_json_schema()]}

Fusion = Annotated[
    AddFusion, BeforeValidator(_word), PlainSerializer(_shortest), WithJsonSchema(_SCHEMA)
]
"""Union of all fusions; written as a word, or as a mapping with its type."""
