"""Blocks a stream passes through on its own: `forward(tokens) -> tokens`, (batch, tokens, dim)."""

from __future__ import annotations

import math
from functools import partial
from typing import cast

from timm.models.vision_transformer import Block
from torch import Tensor, nn

BLOCK_EPS = 1e-6
MLP_EPS = 1e-5


def transformer_block(
    *, dim: int, num_heads: int, mlp_dim: int, layer_scale: float | None = None
) -> nn.Module:
    """timm's own pre-norm block, with query, key and value biases."""
    block: nn.Module = Block(
        dim=dim,
        num_heads=num_heads,
        mlp_ratio=_ratio(dim, mlp_dim),
        qkv_bias=True,
        init_values=layer_scale,
        norm_layer=cast(type[nn.Module], partial(nn.LayerNorm, eps=BLOCK_EPS)),
    )
    return block


class MlpBlock(nn.Module):
    """tokens + MLP(LayerNorm(tokens)): the memory block of the paper's Table 4.

    Args:
        dim: width of the tokens.
        mlp_dim: hidden width.
        norm: whether there is a LayerNorm (LookupViT: no).
    """

    def __init__(self, *, dim: int, mlp_dim: int, norm: bool = True) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim, eps=MLP_EPS) if norm else nn.Identity()
        self.fc1 = nn.Linear(dim, mlp_dim)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(mlp_dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, tokens, dim) -> the same."""
        hidden = self.act(self.fc1(self.norm(tokens)))
        change: Tensor = self.fc2(hidden)
        return tokens + change


def _ratio(dim: int, mlp_dim: int) -> float:
    """A ratio r with int(dim * r) == mlp_dim: timm takes the ratio, we know the width."""
    ratio = mlp_dim / dim
    return ratio if int(dim * ratio) == mlp_dim else math.nextafter(ratio, math.inf)
