"""The two token streams."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from archdsl.spec.base import Node
from archdsl.spec.blocks import Block
from archdsl.spec.embeds import Embed
from archdsl.spec.values import Count, Pair

PrefixToken = Literal["cls", "distillation"]


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
    resize: Pair | None = None
    """Side in pixels, or [height, width], to which the stream's embedding sees the image resized
    (bicubic, CrossViT); the image's own unless given."""
    prefix_tokens: Annotated[tuple[PrefixToken, ...], Field(strict=False, max_length=2)] = ()
    """Learned tokens in front of the others, counted in the stream's tokens: the class token, and
    after it a distillation token with a classifier of its own (DeiT)."""


class ProcessStream(Stream):
    """Few tokens that pass through the blocks."""

    dim: Count
    """Width of the tokens."""


class MemoryStream(Stream):
    """Many tokens, read and written by the exchange in every layer."""

    dim: Count | None = None
    """Width of the tokens; the process stream's unless given."""
