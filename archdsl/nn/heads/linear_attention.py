"""Linear attention: the paper's Linear head (Eq. 5-9) as its published models compute it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from archdsl.nn.heads.cross_attention import join_heads, split_heads

NORMALISER_EPS = 1e-6


class LinearAttention(nn.Module):
    """read = phi(q) (phi(k)^T v) / (phi(q) sum(phi(k)) + eps), head by head; phi(x) = 1 + elu(x).

    Args:
        target_dim: width of the querying stream and of the result.
        source_dim: width of the stream that is read.
        latent_dim: channels of queries and keys over all heads (the paper's c).
        num_heads: number of heads.
        normalise: whether to divide; without it the paper's Eq. 8 as printed.
        out_proj: whether a linear map follows.
    """

    def __init__(
        self,
        *,
        target_dim: int,
        source_dim: int,
        latent_dim: int,
        num_heads: int,
        normalise: bool = True,
        out_proj: bool = False,
    ) -> None:
        super().__init__()
        self.num_heads, self.normalise = num_heads, normalise
        self.q = nn.Linear(target_dim, latent_dim)
        self.k = nn.Linear(source_dim, latent_dim)
        self.v = nn.Linear(source_dim, target_dim)
        self.proj = nn.Linear(target_dim, target_dim) if out_proj else nn.Identity()

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        """Read from `source` for every token of `target`; shapes as in `archdsl.nn.heads`."""
        q = 1 + functional.elu(split_heads(self.q(target), self.num_heads))
        k = 1 + functional.elu(split_heads(self.k(source), self.num_heads))
        v = split_heads(self.v(source), self.num_heads)
        state = torch.matmul(k.transpose(-2, -1), v)  # (batch, heads, latent/heads, dim/heads)
        if self.normalise:
            normaliser = torch.matmul(q, k.sum(dim=-2, keepdim=True).transpose(-2, -1))
            q = q / (normaliser + NORMALISER_EPS)
        read: Tensor = self.proj(join_heads(torch.matmul(q, state)))
        return read
