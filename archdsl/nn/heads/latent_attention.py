"""Latent attention: the paper's Latent head, as its published models compute it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archdsl.nn.heads.cross_attention import NORM_EPS, join_heads, split_heads


class LatentAttention(nn.Module):
    """read = Wo softmax_c(q) (softmax_s(k)^T v), head by head, with LayerNorms on q, k and v.

    Queries are a softmax over their latent channels c, keys one over the source tokens s.

    Args:
        target_dim: width of the querying stream and of the result.
        source_dim: width of the stream that is read.
        latent_dim: channels of queries and keys over all heads (the paper's c).
        num_heads: number of heads.
    """

    def __init__(
        self, *, target_dim: int, source_dim: int, latent_dim: int, num_heads: int
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q = nn.Linear(target_dim, latent_dim)
        self.k = nn.Linear(source_dim, latent_dim)
        self.v = nn.Linear(source_dim, target_dim)
        self.q_norm = nn.LayerNorm(latent_dim, eps=NORM_EPS)
        self.k_norm = nn.LayerNorm(latent_dim, eps=NORM_EPS)
        self.v_norm = nn.LayerNorm(target_dim, eps=NORM_EPS)
        self.proj = nn.Linear(target_dim, target_dim)

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        """Read from `source` for every token of `target`; shapes as in `archdsl.nn.heads`."""
        q = split_heads(self.q_norm(self.q(target)), self.num_heads).softmax(dim=-1)
        k = split_heads(self.k_norm(self.k(source)), self.num_heads).softmax(dim=-2)
        v = split_heads(self.v_norm(self.v(source)), self.num_heads)
        state = torch.matmul(k.transpose(-2, -1), v)  # (batch, heads, latent/heads, dim/heads)
        read = torch.matmul(q, state)
        projected: Tensor = self.proj(join_heads(read))
        return projected
