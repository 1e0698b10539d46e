"""Convolutional stem: a few convolutions turn the image into tokens (CrossViT's "†" models)."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Annotated, Literal

from pydantic import Field

from archdsl.spec.base import Arguments
from archdsl.spec.cost import Cost, product
from archdsl.spec.embeds.base import EmbedWords
from archdsl.spec.rules import Rules
from archdsl.spec.shapes import Grid, Source

Sizes = Annotated[
    tuple[Annotated[int, Field(ge=1, le=64)], ...],
    Field(strict=False, min_length=1, max_length=8),
]


class ConvStem(EmbedWords):
    """Convolutions with ReLU between them; each but the last has half the channels of the next."""

    type: Literal["conv_stem"]
    strides: Sizes
    """Strides of the convolutions in order; their product is the side of a patch in pixels."""
    kernels: Sizes = (7, 3, 3)
    """Sides of the kernels in pixels: odd, padded by half; or the stride itself, not padded."""

    def layout(self, source: Source, rules: Rules) -> Grid | None:
        """Rows and columns of tokens for an image (height, width)."""
        self._check_kernels(rules)
        patch = prod(self.strides)
        for side, axis in zip(source.grid, ("height", "width"), strict=True):
            if side % patch:
                message = f"their product {patch} does not divide the image's {axis} {side}"
                rules.refuse(message, "strides")
                return None
        return source.grid[0] // patch, source.grid[1] // patch

    def _check_kernels(self, rules: Rules) -> None:
        if len(self.kernels) != len(self.strides):
            found = f"{len(self.kernels)} for {len(self.strides)} strides"
            unless = "" if "kernels" in self.model_fields_set else " (7, 3, 3 unless given)"
            rules.refuse(f"{found}{unless}; give one for each", "kernels")
            return
        for number, (kernel, stride) in enumerate(zip(self.kernels, self.strides, strict=True)):
            if kernel != stride and (kernel % 2 == 0 or kernel < stride):
                rules.refuse(
                    f"{kernel} at a stride of {stride}; give {stride} (patches side by side) or a "
                    "larger odd number (overlapping, padded by half)",
                    "kernels",
                    number,
                )

    def arguments(self, *, source: Source, dim: int, grid: Grid) -> Arguments:
        """Keyword arguments of the module."""
        return {
            "channels": source.channels,
            "strides": self.strides,
            "kernels": self.kernels,
            "dim": dim,
        }

    @staticmethod
    def cost(
        *, tokens: int, channels: int, strides: tuple[int, ...], kernels: tuple[int, ...], dim: int
    ) -> Cost:
        """Cost of embedding an image into `tokens` tokens."""
        total = Cost()
        pixels = tokens * prod(strides) ** 2
        convolutions = zip(stem_widths(channels, dim, len(strides)), strides, kernels, strict=True)
        for (inputs, outputs), stride, kernel in convolutions:
            pixels //= stride**2
            weights = inputs * kernel**2 * outputs
            total += product(pixels * weights) + Cost(params=weights + outputs)
        return total


def stem_widths(channels: int, dim: int, count: int) -> list[tuple[int, int]]:
    """Channels into and out of each convolution: d/4, d/2, d for three of them."""
    widths = [channels, *(max(1, dim >> (count - 1 - n)) for n in range(count))]
    return list(pairwise(widths))
