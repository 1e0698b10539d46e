"""Linear attention: the paper's Linear head (Eq. 5-9) as its published models compute it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

NORMALISER_EPS = 1e-6


class LinearAttention(nn.Module):
    """read = phi(q) (phi(k)^T v) / (phi(q) sum(phi(k)) + eps), head by head; phi(x) = 1 + elu(x).

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

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        """Read from `source` for every token of `target`; shapes as in `archdsl.nn.heads`."""
        q = 1 + functional.elu(self._split(self.q(target)))  # (batch, heads, target, latent/heads)
        k = 1 + functional.elu(self._split(self.k(source)))  # (batch, heads, source, latent/heads)
        v = self._split(self.v(source))  # (batch, heads, source, dim/heads)
        state = torch.matmul(k.transpose(-2, -1), v)  # (batch, heads, latent/heads, dim/heads)
        normaliser = torch.matmul(q, k.sum(dim=-2, keepdim=True).transpose(-2, -1))
        read = torch.matmul(q / (normaliser + NORMALISER_EPS), state)
        return read.transpose(1, 2).flatten(2)

    def _split(self, tokens: Tensor) -> Tensor:
        """(batch, tokens, channels) -> (batch, heads, tokens, channels/heads)."""
        batch, count, channels = tokens.shape
        return tokens.reshape(batch, count, self.num_heads, channels // self.num_heads).transpose(
            1, 2
        )
