"""Exceptions: partial documents laid over some of the layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from archdsl.spec.base import Node
from archdsl.spec.exchange import Exchange
from archdsl.spec.streams import StreamLayer

Index = Annotated[int, Field(ge=-1024, le=1023)]
Some = Annotated[int, Field(ge=1, le=1024)]


class Selection(Node):
    """Layers by rule; exactly one word."""

    first: Some | None = None
    """The first n layers."""
    last: Some | None = None
    """The last n layers."""
    every: Some | None = None
    """Every n-th layer: the n-th, the 2n-th, and so on."""


def _kind_of_selection(value: object) -> str:
    return "rule" if isinstance(value, Mapping | Selection) else "indices"


At = Annotated[
    Annotated[tuple[Index, ...], Field(strict=False, min_length=1), Tag("indices")]
    | Annotated[Selection, Tag("rule")],
    Discriminator(_kind_of_selection),
]


Patch = dict[str, Any] | None
"""A partial mapping; null deletes the whole node."""


class LayerException(Node):
    """What differs in the named layers; merged over the document's words, later exceptions win."""

    at: At
    """Indices from 0 (or from the end, -1 being the last), or {first: n}, {last: n}, {every: n}."""
    process: Patch = Field(default={})
    """Changed words of the process stream: block, blocks."""
    memory: Patch = Field(default={})
    """Changed words of the memory stream: block, blocks."""
    exchange: Patch = Field(default={})
    """Changed words of the exchange; null removes a word, as in {write: null}, or all of it."""

    def patch(self) -> dict[str, Any]:
        """The partial layer document."""
        words = {"process": self.process, "memory": self.memory, "exchange": self.exchange}
        return {word: value for word, value in words.items() if value != {}}


class LayerSpec(Node):
    """One layer with every exception applied."""

    process: StreamLayer
    memory: StreamLayer | None = None
    exchange: Exchange | None = None
