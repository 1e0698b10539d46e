"""Down-sampling: a stream starts from the other one's patches, brought to a smaller grid.

The paper's section 3.2.1 names it; LookupViT starts its compressed tokens by average pooling.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from archdsl.spec.base import Arguments
from archdsl.spec.cost import Cost, linear, product
from archdsl.spec.embeds.base import EmbedWords, Origin
from archdsl.spec.rules import Rules
from archdsl.spec.shapes import Grid, Source
from archdsl.spec.values import Pair

BILINEAR_MACS = 4
"""What fvcore counts for each value that bilinear interpolation makes."""


class Downsample(EmbedWords):
    """The other stream's embedded patches on a smaller grid, without its positions and prefix
    tokens; a linear map follows where the widths differ."""

    type: Literal["downsample"]
    grid: Pair
    """Rows and columns of tokens: one number, or [rows, columns]."""
    method: Literal["average", "bilinear"] = "average"
    """average: each token is the mean of the patches it covers. bilinear: interpolated."""
    origin: ClassVar[Origin] = "other"

    def layout(self, source: Source, rules: Rules) -> Grid | None:
        """Rows and columns of tokens; no more than the other stream has."""
        sides = zip(self.grid, source.grid, ("rows", "columns"), strict=True)
        for wanted, there, side in sides:
            if wanted > there:
                rules.refuse(f"{wanted} {side} from the other stream's {there}: give fewer", "grid")
                return None
        return self.grid

    def arguments(self, *, source: Source, dim: int, grid: Grid) -> Arguments:
        """Keyword arguments of the module."""
        return {
            "source_rows": source.grid[0],
            "source_columns": source.grid[1],
            "rows": grid[0],
            "columns": grid[1],
            "method": self.method,
            "source_dim": source.channels,
            "dim": dim,
        }

    @staticmethod
    def cost(
        *,
        tokens: int,
        source_rows: int,
        source_columns: int,
        rows: int,
        columns: int,
        method: str,
        source_dim: int,
        dim: int,
    ) -> Cost:
        """Cost of making `tokens` tokens: an average counts 1 for each value that goes into it."""
        if method == "average":
            total = product(source_rows * source_columns * source_dim)
        else:
            total = product(BILINEAR_MACS * rows * columns * source_dim)
        return total if source_dim == dim else total + linear(tokens, source_dim, dim)
