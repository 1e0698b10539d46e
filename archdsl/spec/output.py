"""What the network answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from archdsl.spec.base import Node
from archdsl.spec.values import Count

StreamName = Literal["process", "memory"]
Pool = Literal["mean", "cls"]


class OutputPools(Node):
    """How each stream's tokens become one."""

    process: Pool = "mean"
    """Of the process stream."""
    memory: Pool = "mean"
    """Of the memory stream."""


def _kind_of_pool(value: Any) -> str:
    return "word" if isinstance(value, str) else "by_stream"


class OutputNorms(Node):
    """Where each stream's tokens are normalised on the way to its classifier.

    tokens: every token, before pooling; pooled: the pooled token; both: before and after.
    """

    process: Literal["tokens", "pooled", "both"] | None = None
    """Of the process stream."""
    memory: Literal["tokens", "pooled", "both"] | None = None
    """Of the memory stream."""


class Output(Node):
    """A linear classifier on each named stream, or one on all of them together."""

    task: Literal["classify"] = "classify"
    """What the logits are for."""
    num_classes: Count = 1000
    """Number of logits."""
    pool: Annotated[
        Annotated[Pool, Tag("word")] | Annotated[OutputPools, Tag("by_stream")],
        Discriminator(_kind_of_pool),
    ] = "mean"
    """How a stream's tokens become one: their mean (without prefix tokens), or the class token; one
    word, or one for each stream: {process: mean, memory: cls}."""
    norm: OutputNorms = OutputNorms()
    """Where LayerNorms stand. Unless given: a class token is normalised with all tokens; a single
    stream after pooling; of two streams as published, process both and memory after pooling."""
    streams: Annotated[tuple[StreamName, ...], Field(strict=False, min_length=1)] | None = None
    """Streams with a classifier: memory, then process, unless given; process if it is alone."""
    combine: Literal["concat"] | None = None
    """concat: one classifier on the pooled tokens of all `streams` side by side, after one
    LayerNorm over them (Rev-ViT)."""
    predict: Literal["process", "memory", "distillation", "concat", "mean"] | None = None
    """Whose logits `model(images)` gives: the first of `streams` unless given; `mean` averages all
    classifiers (CrossViT), and is what a distillation token's model gives unless told (DeiT)."""

    def pool_of(self, stream: StreamName) -> Pool:
        """How a stream's tokens become one."""
        if isinstance(self.pool, OutputPools):
            return self.pool.process if stream == "process" else self.pool.memory
        return self.pool
