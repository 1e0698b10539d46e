"""From images to a stream's first tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
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


class StreamEmbed(nn.Module):
    """Tokens of an image behind learned prefix tokens, all with a learned position table.

    Args:
        embed: makes the tokens.
        tokens: number of tokens, prefix tokens included.
        dim: width.
        prefix_tokens: names of learned tokens (`cls`), in order.
    """

    def __init__(
        self, *, embed: nn.Module, tokens: int, dim: int, prefix_tokens: Sequence[str]
    ) -> None:
        super().__init__()
        self.embed = embed
        count = len(prefix_tokens)
        self.prefix = nn.Parameter(torch.empty(1, count, dim)) if count else None
        self.position = nn.Parameter(torch.empty(1, tokens, dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw positions and prefix tokens anew, as timm's ViT does."""
        nn.init.trunc_normal_(self.position, std=0.02)
        if self.prefix is not None:
            nn.init.normal_(self.prefix, std=1e-6)

    def forward(self, images: Tensor) -> Tensor:
        """images: (batch, channels, height, width) -> (batch, tokens, dim)."""
        tokens: Tensor = self.embed(images)
        if self.prefix is not None:
            tokens = torch.cat([self.prefix.expand(tokens.shape[0], -1, -1), tokens], dim=1)
        return tokens + self.position
