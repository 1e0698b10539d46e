"""Stochastic depth, put into a network for as long as it is trained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import fmean
from typing import cast

from timm.layers.drop import DropPath, calculate_drop_path_rates
from timm.models.vision_transformer import Block
from torch import nn

from archdsl.errors import ArchdslError
from archdsl.nn.layer import Blocks, Borrowed
from archdsl.nn.network import Network

PLACES = ("drop_path1", "drop_path2")
"""Of a block: behind its attention, behind its MLP."""


class DropPaths:
    """The residual branches of transformer blocks, dropped for some images.

    As in timm, the rate rises linearly over the depth; each stream has its own blocks, and starts
    at 0.

    Args:
        model: left as it is until `inside`.
        rate: of the last block; 0 does nothing.

    Raises:
        ArchdslError: the model has no block that a rate could be for.
    """

    def __init__(self, model: nn.Module, rate: float) -> None:
        rates = _rates(model, rate) if rate else {}
        own = any(isinstance(each, DropPath) for each in model.modules())  # timm put them there
        if rate and not rates and not own:
            raise ArchdslError(
                f"drop_path {rate} has no effect: the network has no transformer block of a "
                "stream; leave it out"
            )
        self._places: list[tuple[nn.Module, str, nn.Module]] = [
            (block, place, DropPath(each)) for block, each in rates.items() for place in PLACES
        ]

    def put(self) -> None:
        """For good: what is dropped in training from now on."""
        for block, place, dropped in self._places:
            setattr(block, place, dropped)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """While the model is trained: whoever keeps or names it meanwhile sees other modules."""
        before = [getattr(block, place) for block, place, _ in self._places]
        self.put()
        try:
            yield
        finally:
            for (block, place, _), module in zip(self._places, before, strict=True):
                setattr(block, place, module)


def _rates(model: nn.Module, rate: float) -> dict[nn.Module, float]:
    blocks: defaultdict[str, list[nn.Module]] = defaultdict(list)
    for layer in model.layers if isinstance(model, Network) else ():
        for word in cast(nn.ModuleDict, layer).values():
            if isinstance(word, Blocks):
                owned = [each.owned if isinstance(each, Borrowed) else each for each in word.blocks]
                blocks[word.stream] += [each for each in owned if isinstance(each, Block)]
    found: defaultdict[nn.Module, list[float]] = defaultdict(list)
    for of_stream in blocks.values():
        rates = cast(list[float], calculate_drop_path_rates(rate, len(of_stream)))
        for block, each in zip(of_stream, rates, strict=True):
            found[block].append(each)
    return {block: fmean(each) for block, each in found.items()}
