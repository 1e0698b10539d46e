"""Cross-attention: the paper's Cross head, as its published models compute it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

NORM_EPS = 1e-5


class CrossAttention(nn.Module):
    """read = Wo softmax(q k^T / sqrt(d/H)) v, head by head, with LayerNorms on q, k and v.

    Args:
        target_dim: width of the querying stream, of queries, keys and values, and of the result.
        source_dim: width of the stream that is read.
        num_heads: number of heads.
    """

    def __init__(self, *, target_dim: int, source_dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q = nn.Linear(target_dim, target_dim)
        self.k = nn.Linear(source_dim, target_dim)
        self.v = nn.Linear(source_dim, target_dim)
        self.q_norm = nn.LayerNorm(target_dim, eps=NORM_EPS)
        self.k_norm = nn.LayerNorm(target_dim, eps=NORM_EPS)
        self.v_norm = nn.LayerNorm(target_dim, eps=NORM_EPS)
        self.proj = nn.Linear(target_dim, target_dim)

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        """Read from `source` for every token of `target`; shapes as in `archdsl.nn.heads`."""
        q = split_heads(self.q_norm(self.q(target)), self.num_heads)
        k = split_heads(self.k_norm(self.k(source)), self.num_heads)
        v = split_heads(self.v_norm(self.v(source)), self.num_heads)
        read = functional.scaled_dot_product_attention(q, k, v)
        projected: Tensor = self.proj(read.transpose(1, 2).flatten(2))
        return projected


def split_heads(tokens: Tensor, num_heads: int) -> Tensor:
    """(batch, tokens, channels) -> (batch, heads, tokens, channels/heads)."""
    batch, count, channels = tokens.shape
    return tokens.reshape(batch, count, num_heads, channels // num_heads).transpose(1, 2)
