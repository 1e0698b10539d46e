"""What the two streams do to each other in every layer, and in which order."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from archdsl.spec.base import Node
from archdsl.spec.heads import Head

Word = Literal["read", "process", "write", "memory"]
DEFAULT_ORDER: tuple[Word, ...] = ("read", "process", "write", "memory")


class ExchangeNorm(Node):
    """The LayerNorm each exchange word applies to both streams first."""

    placement: Literal["replace", "pre"] = "replace"
    """replace: the normalised value becomes the stream, so residuals start from it (as published).
    pre: only the head sees it, and the stream stays as it was."""
    shared: bool = True
    """One norm for both streams (as published), or one for each."""


class Exchange(Node):
    """Reads and writes between the streams."""

    order: Annotated[tuple[Word, ...], Field(strict=False, min_length=1)] = DEFAULT_ORDER
    """Words of a layer in the order they run, each at most once; a word left out never runs."""
    norm: ExchangeNorm = ExchangeNorm()
    """The norm before each read and each write."""
    read: Head | None = None
    """process <- fusion(process, head(queries of process, keys and values of memory))."""
    write: Head | None = None
    """memory <- fusion(memory, head(queries of memory, keys and values of process))."""
