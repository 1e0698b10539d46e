"""Learned tokens: the same for every image."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LearnedEmbed(nn.Module):
    """A table of tokens.

    Args:
        num_tokens: their number.
        dim: their width.
    """

    def __init__(self, *, num_tokens: int, dim: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(1, num_tokens, dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the table anew, as position tables are."""
        nn.init.trunc_normal_(self.table, std=0.02)

    def forward(self, images: Tensor) -> Tensor:
        """images: (batch, channels, height, width), of which only the number counts -> tokens:
        (batch, num_tokens, dim)."""
        return self.table.expand(images.shape[0], -1, -1)
