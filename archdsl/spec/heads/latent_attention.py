"""Latent attention (the paper's Latent head): both sides meet in c latent channels.

As in published ViTTM models: a softmax of the queries over their latent channels, one of the keys
over the source tokens, LayerNorms after the projections, and an out-projection.
"""

from __future__ import annotations

from typing import Literal

from archdsl.spec.base import Node
from archdsl.spec.cost import Cost, layer_norm, linear, product
from archdsl.spec.fusion import AddFusion, Fusion
from archdsl.spec.heads.widths import latent_arguments
from archdsl.spec.rules import Rules
from archdsl.spec.shapes import StreamShape
from archdsl.spec.values import Count, Ratio


class LatentAttention(Node):
    """Attention whose cost grows with the number of tokens, through softmaxes of either side."""

    type: Literal["latent_attention"]
    latent_ratio: Ratio = 1.0
    """Latent channels c as a share of the querying stream's width."""
    num_heads: Count | None = None
    """Number of heads; the process blocks' unless given."""
    fusion: Fusion = AddFusion(type="add")
    """How the result joins the querying stream."""

    def arguments(
        self, *, target: StreamShape, source: StreamShape, rules: Rules
    ) -> dict[str, int] | None:
        """Keyword arguments of the module for a target that reads from a source."""
        return latent_arguments(
            target,
            source,
            latent_ratio=self.latent_ratio,
            num_heads=self.num_heads,
            rules=rules,
        )

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
