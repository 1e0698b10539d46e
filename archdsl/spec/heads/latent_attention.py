"""Latent attention (the paper's Latent head): both sides meet in c latent channels.

As in published ViTTM models: a softmax of the queries over their latent channels, one of the keys
over the source tokens, LayerNorms after the projections, and an out-projection.
"""

from __future__ import annotations

from typing import Literal

from archdsl.spec.cost import Cost, layer_norm, linear, product
from archdsl.spec.heads.widths import LatentWords


class LatentAttention(LatentWords):
    """Attention whose cost grows with the number of tokens, through softmaxes of either side."""

    type: Literal["latent_attention"]

    @staticmethod
    def cost(
        *,
        target_tokens: int,
        source_tokens: int,
        target_dim: int,
        source_dim: int,
        latent_dim: int,
        num_heads: int,
    ) -> Cost:
        """Cost of one read (or write)."""
        state = latent_dim * target_dim // num_heads
        return (
            linear(target_tokens, target_dim, latent_dim)
            + layer_norm(target_tokens, latent_dim)
            + linear(source_tokens, source_dim, latent_dim)
            + layer_norm(source_tokens, latent_dim)
            + linear(source_tokens, source_dim, target_dim)
            + layer_norm(source_tokens, target_dim)
            + product(source_tokens * state)
            + product(target_tokens * state)
            + linear(target_tokens, target_dim, target_dim)
        )
