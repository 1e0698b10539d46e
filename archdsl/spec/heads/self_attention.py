"""Self-attention of the source (Rev-ViT): each target token takes what its counterpart attends to.

read = Wo softmax(q k^T / sqrt(d/H)) v with q, k and v of the source alone
"""

from __future__ import annotations

from typing import ClassVar, Literal

from archdsl.spec.base import Arguments
from archdsl.spec.cost import Cost, fused_attention, linear
from archdsl.spec.heads.widths import AttentionWords
from archdsl.spec.rules import Rules
from archdsl.spec.shapes import StreamShape


class SelfAttention(AttentionWords):
    """Softmax attention inside the source, whose result joins the target token by token."""

    type: Literal["self_attention"]
    reads_target: ClassVar[bool] = False
    token_by_token: ClassVar[bool] = True

    def arguments(
        self, *, target: StreamShape, source: StreamShape, rules: Rules
    ) -> Arguments | None:
        """Keyword arguments of the module for a target that reads from a source."""
        num_heads = self.heads(source, target, rules)
        if num_heads is None:
            return None
        return {"target_dim": target.dim, "source_dim": source.dim, "num_heads": num_heads}

    @staticmethod
    def cost(
        *, target_tokens: int, source_tokens: int, target_dim: int, source_dim: int, num_heads: int
    ) -> Cost:
        """Cost of one read (or write); the number of heads changes nothing."""
        attention = fused_attention(source_tokens, source_tokens, source_dim)
        attention += linear(source_tokens, source_dim, 3 * source_dim)
        return attention + linear(source_tokens, source_dim, target_dim)
