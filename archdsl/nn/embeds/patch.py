"""Patch embedding (ViT, section 3.1)."""

from __future__ import annotations

from torch import Tensor, nn


class PatchEmbed(nn.Module):
    """Non-overlapping patches, each through one linear map.

    The same as a convolution whose stride is its kernel; written as a linear map because that can
    be traced without weights. `proj.weight` is the convolution's kernel flattened from
    (dim, channels, patch_height, patch_width).
    """

    def __init__(self, *, channels: int, patch_height: int, patch_width: int, dim: int) -> None:
        super().__init__()
        self.patch = (patch_height, patch_width)
        self.proj = nn.Linear(channels * patch_height * patch_width, dim)

    def forward(self, images: Tensor) -> Tensor:
        """images: (batch, channels, height, width) -> tokens: (batch, rows * columns, dim)."""
        height, width = self.patch
        rows, columns = images.shape[-2] // height, images.shape[-1] // width
        patches = images.reshape(*images.shape[:2], rows, height, columns, width)
        # (batch, channels, rows, height, columns, width) -> (batch, rows * columns, pixels)
        patches = patches.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        tokens: Tensor = self.proj(patches)
        return tokens
