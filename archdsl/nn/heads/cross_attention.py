"""Cross-attention: the paper's Cross head as published models compute it, and its relatives."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

NORM_EPS = 1e-5
CARRY_EPS = 1e-6


def cross_attention(
    *,
    target_dim: int,
    source_dim: int,
    num_heads: int,
    norms: str = "qkv",
    with_query: bool = False,
    carried: bool = False,
    out_proj: bool = True,
) -> nn.Module:
    """The module of a cross-attention; in the source's width if it is `carried` there."""
    attention = CrossAttention(
        target_dim=source_dim if carried else target_dim,
        source_dim=source_dim,
        num_heads=num_heads,
        norms=norms,
        with_query=with_query,
        out_proj=out_proj,
    )
    return (
        Carried(target_dim=target_dim, source_dim=source_dim, head=attention)
        if carried
        else attention
    )


class CrossAttention(nn.Module):
    """read = Wo softmax(q k^T / sqrt(d/H)) v, head by head.

    Args:
        target_dim: width of the querying stream, of queries, keys and values, and of the result.
        source_dim: width of the stream that is read.
        num_heads: number of heads.
        norms: letters of those of q, k and v that pass a LayerNorm after their projection.
        with_query: the querying tokens are among the keys and values, before those of the source.
        out_proj: whether there is Wo.
    """

    def __init__(
        self,
        *,
        target_dim: int,
        source_dim: int,
        num_heads: int,
        norms: str = "qkv",
        with_query: bool = False,
        out_proj: bool = True,
    ) -> None:
        super().__init__()
        self.num_heads, self.with_query = num_heads, with_query
        self.scale = (target_dim // num_heads) ** -0.5
        self.q = nn.Linear(target_dim, target_dim)
        self.k = nn.Linear(source_dim, target_dim)
        self.v = nn.Linear(source_dim, target_dim)
        self.q_norm = _norm(target_dim, "q" in norms)
        self.k_norm = _norm(target_dim, "k" in norms)
        self.v_norm = _norm(target_dim, "v" in norms)
        self.proj = nn.Linear(target_dim, target_dim) if out_proj else nn.Identity()

    def forward(
        self, target: Tensor, source: Tensor, need_map: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Read from `source` for every token of `target`; shapes as in `archdsl.nn.heads`.

        With `need_map` the attention map comes second: (batch, heads, target_tokens,
        source_tokens), each row adding up to 1.
        """
        if self.with_query:
            source = torch.cat([target, source], dim=1)
        q = split_heads(self.q_norm(self.q(target)), self.num_heads)
        k = split_heads(self.k_norm(self.k(source)), self.num_heads)
        v = split_heads(self.v_norm(self.v(source)), self.num_heads)
        if not need_map:
            return self._joined(functional.scaled_dot_product_attention(q, k, v))
        scores = torch.matmul(q * self.scale, k.transpose(-2, -1))
        shares = scores.softmax(dim=-1)
        return self._joined(torch.matmul(shares, v)), shares

    def _joined(self, read: Tensor) -> Tensor:
        joined: Tensor = self.proj(join_heads(read))
        return joined


class Carried(nn.Module):
    """A head in the source's width (CrossViT): queries go there, attend with a residual, come back.

    Args:
        target_dim: width of the querying stream and of the result.
        source_dim: width of the stream that is read, in which the head works.
        head: forward(target, source) -> read, all of the width `source_dim`.
    """

    def __init__(self, *, target_dim: int, source_dim: int, head: nn.Module) -> None:
        super().__init__()
        self.there = _carry(target_dim, source_dim)
        self.norm = nn.LayerNorm(source_dim, eps=CARRY_EPS)
        self.head = head
        self.back = _carry(source_dim, target_dim)

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        """Read from `source` for every token of `target`; shapes as in `archdsl.nn.heads`."""
        query = self.there(target)
        read: Tensor = self.back(query + self.head(self.norm(query), self.norm(source)))
        return read


def split_heads(tokens: Tensor, num_heads: int) -> Tensor:
    """(batch, tokens, channels) -> (batch, heads, tokens, channels/heads)."""
    batch, count, channels = tokens.shape
    return tokens.reshape(batch, count, num_heads, channels // num_heads).transpose(1, 2)


def join_heads(heads: Tensor) -> Tensor:
    """(batch, heads, tokens, channels/heads) -> (batch, tokens, channels)."""
    return heads.transpose(1, 2).flatten(2)


def _norm(dim: int, wanted: bool) -> nn.Module:
    return nn.LayerNorm(dim, eps=NORM_EPS) if wanted else nn.Identity()


def _carry(dim: int, to: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(dim, eps=CARRY_EPS), nn.GELU(), nn.Linear(dim, to))
