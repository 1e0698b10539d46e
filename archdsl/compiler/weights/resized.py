"""Weights of another depth or width, cut or repeated to the shapes that a network has.

A network that is wider by a whole number computes what the narrow one did: each channel stands
there so many times, and whatever reads them takes its share of each (Net2Net, arXiv 1511.05641,
section 2.4; there channels are drawn, here they follow in order, so that heads stay whole).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from archdsl.compiler.weights.mismatch import OF_TOKENS

REVISION = 1
"""Raised when other weights come out of the same."""

_LAYER = re.compile(r"layers\.(\d+)\.(.+)")
_THREE = re.compile(r"\.qkv\.(weight|bias)$")
"""Queries, keys and values, one after the other."""
_KERNEL = re.compile(r"^embeds\.\w+\.embed\.proj(\.0)?\.weight$")
"""Reads pixels, unless the stream starts from the other one: its other axes are channels and sides
of a patch."""


def layers_of(names: Mapping[str, object]) -> int:
    """How many layers the names of tensors speak of."""
    return 1 + max((int(found[1]) for name in names if (found := _LAYER.match(name))), default=-1)


def to_depth(found: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """So many layers, spread evenly over those that are there: of 4 for 2 the first and third, of
    2 for 4 each twice, side by side."""
    have = layers_of(found)
    if have in (0, layers):
        return dict(found)
    placed = {name: tensor for name, tensor in found.items() if not _LAYER.match(name)}
    for number in range(layers):
        start = f"layers.{number * have // layers}."
        placed |= {
            f"layers.{number}.{name.removeprefix(start)}": tensor
            for name, tensor in found.items()
            if name.startswith(start)
        }
    return placed


def to_shape(name: str, tensor: Tensor, shape: tuple[int, ...], *, counts_tokens: bool) -> Tensor:
    """A tensor whose widths are cut at their end, or begin anew; itself where that is not all that
    is different.

    Args:
        name: of the tensor.
        tensor: as it is.
        shape: as it is to be.
        counts_tokens: whether its word holds the number of tokens in its weights.
    """
    if tuple(tensor.shape) == shape or tensor.dim() != len(shape) or name.startswith("unused."):
        return tensor
    axes = _widths(name, tensor)
    if counts_tokens and OF_TOKENS.fullmatch(name):
        axes = {1: True} if name.endswith(("fc1.weight", "gate.weight")) else {}
    if any(
        have != want and axis not in axes
        for axis, (have, want) in enumerate(zip(tensor.shape, shape, strict=True))
    ):
        return tensor
    for axis, reads in axes.items():
        parts = 3 if axis == 0 and _THREE.search(name) else 1
        tensor = _sized(tensor, axis, shape[axis], parts=parts, reads=reads)
    return tensor


def _widths(name: str, tensor: Tensor) -> Mapping[int, bool]:
    """The axes that are widths of streams, heads and hidden layers; of each, whether it is read."""
    if tensor.dim() == 1:
        return {0: False}
    if not name.endswith(".weight"):
        return {tensor.dim() - 1: False}  # positions, prefix tokens
    if name.startswith("classifiers.") and ".linear." in name:
        return {1: True}
    return {0: False} if _KERNEL.match(name) else {0: False, 1: True}


def _sized(tensor: Tensor, axis: int, size: int, *, parts: int, reads: bool) -> Tensor:
    have, want = tensor.shape[axis] // parts, size // parts
    if have == want:
        return tensor
    places = torch.arange(want) % have
    index = torch.cat([places + part * have for part in range(parts)])
    sized = tensor.index_select(axis, index)
    if reads:
        times = torch.bincount(places, minlength=have)[places].to(sized)
        sized = sized / times.view([-1 if each == axis else 1 for each in range(sized.dim())])
    return sized
