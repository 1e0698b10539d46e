"""Self-attention of the source, joined to the target token by token (Rev-ViT)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from archdsl.nn.heads.cross_attention import join_heads, split_heads


class SelfAttention(nn.Module):
    """read = Wo softmax(q k^T / sqrt(d/H)) v with q, k and v of the source, head by head.

    Args:
        target_dim: width of the result.
        source_dim: width of the stream that is read.
        num_heads: number of heads.
    """

    def __init__(self, *, target_dim: int, source_dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(source_dim, 3 * source_dim)
        self.proj = nn.Linear(source_dim, target_dim)

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        """Attend inside `source`, which has as many tokens as `target`; shapes as in
        `archdsl.nn.heads`."""
        q, k, v = (split_heads(each, self.num_heads) for each in self.qkv(source).chunk(3, dim=-1))
        read: Tensor = self.proj(join_heads(functional.scaled_dot_product_attention(q, k, v)))
        return read
