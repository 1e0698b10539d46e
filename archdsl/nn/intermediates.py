"""What a network computes on the way, as timm's `forward_intermediates` gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from archdsl.nn.layer import Streams
from archdsl.plan.plan import StreamName, StreamPlan

Intermediates = dict[str, list[Tensor]]
"""Stream name -> its tokens behind each layer that was asked for."""


def layers_taken(depth: int, indices: int | Sequence[int] | None) -> set[int]:
    """Numbers of layers: of the last ones where `indices` is an int, all where it is None.

    Raises:
        ValueError: there is no such layer, or none is asked for.
    """
    asked = list(range(depth)) if indices is None else indices
    if isinstance(asked, int):
        asked = list(range(-asked, 0))
    wrong = [index for index in asked if not -depth <= index < depth]
    if wrong or not asked:
        raise ValueError(
            f"indices is {indices}, but there are {depth} layers: give how many of the last ones, "
            f"or numbers from {-depth} to {depth - 1}"
        )
    return {index % depth for index in asked}


def shaped(
    states: list[Streams], streams: Mapping[StreamName, StreamPlan], fmt: str
) -> Intermediates:
    """Tokens without prefix tokens, in the shape asked for.

    Args:
        states: all streams behind each layer: (batch, tokens, dim).
        streams: their plans.
        fmt: `NCHW` -> (batch, dim, rows, columns), `NLC` -> (batch, rows * columns, dim).
    """
    found: Intermediates = {}
    for name, plan in streams.items():
        patches = [state[name][:, len(plan.prefix_tokens) :] for state in states]
        if fmt == "NCHW":
            patches = [
                each.transpose(1, 2).reshape(len(each), -1, *plan.grid).contiguous()
                for each in patches
            ]
        found[name] = patches
    return found


def prefixes(states: list[Streams], streams: Mapping[StreamName, StreamPlan]) -> Intermediates:
    """Prefix tokens of the streams that have any: (batch, prefix tokens, dim)."""
    return {
        name: [state[name][:, : len(plan.prefix_tokens)] for state in states]
        for name, plan in streams.items()
        if plan.prefix_tokens
    }


def as_tuple(found: Mapping[str, Any]) -> Any:
    """(final tokens, intermediates), or the intermediates alone; in pairs with prefix tokens where
    there are any."""
    prefix: Intermediates = found.get("image_intermediates_prefix", {})
    intermediates = {
        name: list(zip(each, prefix[name], strict=True)) if name in prefix else each
        for name, each in found["image_intermediates"].items()
    }
    if "image_features" not in found:
        return intermediates
    return found["image_features"], intermediates
