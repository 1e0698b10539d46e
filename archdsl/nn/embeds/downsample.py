"""Tokens of one stream from the other one's patches, brought to a smaller grid."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Downsample(nn.Module):
    """Average pooling (LookupViT) or bilinear interpolation over the grid of tokens.

    Args:
        source_rows: rows of the other stream's tokens.
        source_columns: their columns.
        rows: rows of the tokens to make.
        columns: their columns.
        method: `average` or `bilinear`.
        source_dim: width of the other stream.
        dim: width of the tokens to make; a linear map joins different widths.
    """

    def __init__(
        self,
        *,
        source_rows: int,
        source_columns: int,
        rows: int,
        columns: int,
        method: str,
        source_dim: int,
        dim: int,
    ) -> None:
        super().__init__()
        self.source_grid, self.grid, self.method = (
            (source_rows, source_columns),
            (rows, columns),
            method,
        )
        self.proj = nn.Identity() if source_dim == dim else nn.Linear(source_dim, dim)

    def forward(self, source: Tensor) -> Tensor:
        """source: (batch, source_rows * source_columns, source_dim), without positions and prefix
        tokens -> tokens: (batch, rows * columns, dim)."""
        pixels = source.transpose(1, 2).reshape(-1, source.shape[-1], *self.source_grid)
        if self.method == "average":
            pixels = functional.adaptive_avg_pool2d(pixels, self.grid)
        else:
            pixels = functional.interpolate(pixels, self.grid, mode="bilinear", align_corners=False)
        tokens: Tensor = self.proj(pixels.flatten(2).transpose(1, 2))
        return tokens
