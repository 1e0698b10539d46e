"""What the network answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from archdsl.spec.base import Node
from archdsl.spec.values import Count

StreamName = Literal["process", "memory"]


class OutputNorms(Node):
    """Where each stream's tokens are normalised on the way to its classifier.

    tokens: every token, before pooling; pooled: the pooled token; both: before and after.
    """

    process: Literal["tokens", "pooled", "both"] | None = None
    """Of the process stream."""
    memory: Literal["tokens", "pooled", "both"] | None = None
    """Of the memory stream."""


class Output(Node):
    """One linear classifier on each named stream."""

    task: Literal["classify"] = "classify"
    """What the logits are for."""
    num_classes: Count = 1000
    """Number of logits."""
    pool: Literal["mean", "cls"] = "mean"
    """How a stream's tokens become one: their mean (without prefix tokens), or the class token."""
    norm: OutputNorms = OutputNorms()
    """Where LayerNorms stand. Unless given: a class token is normalised with all tokens; a single
    stream after pooling; of two streams as published, process both and memory after pooling."""
    streams: Annotated[tuple[StreamName, ...], Field(strict=False, min_length=1)] | None = None
    """Streams with a classifier: memory, then process, unless given; process if it is alone."""
    predict: Literal["process", "memory", "mean"] | None = None
    """Whose logits `model(images)` gives: the first of `streams` unless given; `mean` averages."""
