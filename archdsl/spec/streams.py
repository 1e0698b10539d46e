"""The two token streams."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from archdsl.spec.base import Node
from archdsl.spec.blocks import Block
from archdsl.spec.embed import Embed
from archdsl.spec.values import Count

PrefixToken = Literal["cls"]


class StreamLayer(Node):
    """What a layer may say about a stream, and an exception may change."""

    block: Block | None = None
    """What each layer runs on this stream; without it the tokens are stored, not processed."""
    blocks: Annotated[int, Field(ge=1, le=64)] = 1
    """How many such blocks each layer runs."""


class Stream(StreamLayer):
    """What every stream has."""

    embed: Embed
    """How the first tokens are made."""
    prefix_tokens: Annotated[tuple[PrefixToken, ...], Field(strict=False, max_length=1)] = ()
    """Learned tokens in front of the others, counted in the stream's tokens."""


class ProcessStream(Stream):
    """Few tokens that pass through the blocks."""

    dim: Count
    """Width of the tokens."""


class MemoryStream(Stream):
    """Many tokens, read and written by the exchange in every layer."""

    dim: Count | None = None
    """Width of the tokens; the process stream's unless given."""
