"""Cross-attention (the paper's Cross head): every target token attends to every source token.

As in published ViTTM models: queries, keys and values of the target's width, each through a
LayerNorm after its projection, and an out-projection.
"""

from __future__ import annotations

from typing import Literal

from archdsl.spec.base import Node
from archdsl.spec.cost import Cost, fused_attention, layer_norm, linear
from archdsl.spec.fusion import AddFusion, Fusion
from archdsl.spec.heads.widths import heads_of
from archdsl.spec.rules import Rules
from archdsl.spec.shapes import StreamShape
from archdsl.spec.values import Count


class CrossAttention(Node):
    """Softmax attention from one stream to the other; costs target tokens times source tokens."""

    type: Literal["cross_attention"]
    num_heads: Count | None = None
    """Number of heads; the process blocks' unless given."""
    fusion: Fusion = AddFusion(type="add")
    """How the result joins the querying stream."""

    def arguments(
        self, *, target: StreamShape, source: StreamShape, rules: Rules
    ) -> dict[str, int] | None:
        """Keyword arguments of the module for a target that reads from a source."""
        num_heads = heads_of(target, source, num_heads=self.num_heads, rules=rules)
        if num_heads is None:
            return None
        return {"target_dim": target.dim, "source_dim": source.dim, "num_heads": num_heads}

    @staticmethod
    def cost(
        *, target_tokens: int, source_tokens: int, target_dim: int, source_dim: int, num_heads: int
    ) -> Cost:
        """Cost of one read (or write); the number of heads changes nothing."""
        queries = linear(target_tokens, target_dim, target_dim)
        queries += layer_norm(target_tokens, target_dim)
        keys_and_values = linear(source_tokens, source_dim, target_dim)
        keys_and_values += layer_norm(source_tokens, target_dim)
        attention = fused_attention(target_tokens, source_tokens, target_dim)
        out = linear(target_tokens, target_dim, target_dim)
        return queries + keys_and_values + keys_and_values + attention + out
