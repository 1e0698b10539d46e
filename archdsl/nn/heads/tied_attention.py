"""Tied attention: a write along the attention map of the layer's read (LookupViT)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archdsl.nn.heads.cross_attention import NORM_EPS, join_heads, split_heads

SUM_EPS = 1e-6


class TiedAttention(nn.Module):
    """write = map^T v, head by head.

    Args:
        target_dim: width of the result.
        source_dim: width of the stream whose values are given.
        num_heads: heads of the map.
        tied_values: values come projected from outside (`values`), not through a `v` of its own.
        renormalise: the shares of each target token are divided by their sum.
        norm: values pass a LayerNorm after their projection.
        out_proj: a linear map follows.
    """

    def __init__(
        self,
        *,
        target_dim: int,
        source_dim: int,
        num_heads: int,
        tied_values: bool = False,
        renormalise: bool = False,
        norm: bool = False,
        out_proj: bool = False,
    ) -> None:
        super().__init__()
        self.num_heads, self.renormalise = num_heads, renormalise
        self.v = nn.Identity() if tied_values else nn.Linear(source_dim, target_dim)
        self.v_norm = nn.LayerNorm(target_dim, eps=NORM_EPS) if norm else nn.Identity()
        self.proj = nn.Linear(target_dim, target_dim) if out_proj else nn.Identity()

    def forward(self, shares: Tensor, source: Tensor) -> Tensor:
        """Give back along the read's map.

        Args:
            shares: (batch, heads, source_tokens, target_tokens), the map of the read.
            source: (batch, source_tokens, source_dim), or values already projected to target_dim.

        Returns:
            (batch, target_tokens, target_dim)
        """
        shares = shares.transpose(-2, -1)
        if self.renormalise:
            shares = shares * (shares.sum(dim=-1, keepdim=True) + SUM_EPS).reciprocal()
        v = split_heads(self.v_norm(self.v(source)), self.num_heads)
        written: Tensor = self.proj(join_heads(torch.matmul(shares, v)))
        return written
