"""Patch embedding: each patch of the image becomes one token (ViT, section 3.1)."""

from __future__ import annotations

from typing import Literal

from archdsl.spec.base import Arguments
from archdsl.spec.cost import Cost, product
from archdsl.spec.embeds.base import EmbedWords
from archdsl.spec.rules import Rules
from archdsl.spec.shapes import Grid, Source
from archdsl.spec.values import Pair


class PatchEmbed(EmbedWords):
    """Each patch of the image through one linear map."""

    type: Literal["patch"]
    patch_size: Pair
    """Side of a patch in pixels, or [height, width]; must divide the image."""

    def layout(self, source: Source, rules: Rules) -> Grid | None:
        """Rows and columns of tokens for an image (height, width)."""
        sides = zip(source.grid, self.patch_size, ("height", "width"), strict=True)
        for side, patch, axis in sides:
            if side % patch:
                divisors = [n for n in range(1, min(side, 4096) + 1) if side % n == 0]
                close = sorted(divisors, key=lambda n: abs(n - patch))[:4]
                rules.refuse(
                    f"{patch} does not divide the image's {axis} {side}; "
                    f"for example {', '.join(map(str, sorted(close)))} do",
                    "patch_size",
                )
                return None
        return source.grid[0] // self.patch_size[0], source.grid[1] // self.patch_size[1]

    def arguments(self, *, source: Source, dim: int, grid: Grid) -> Arguments:
        """Keyword arguments of the module."""
        height, width = self.patch_size
        channels = source.channels
        return {"channels": channels, "patch_height": height, "patch_width": width, "dim": dim}

    @staticmethod
    def cost(*, tokens: int, channels: int, patch_height: int, patch_width: int, dim: int) -> Cost:
        """Cost of embedding `tokens` patches."""
        inputs = channels * patch_height * patch_width
        return product(tokens * inputs * dim) + Cost(params=(inputs + 1) * dim)
