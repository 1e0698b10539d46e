"""Linear attention (the paper's Linear head, Eq. 5-9, as published: several heads, normalised).

With c latent channels, H heads, width d and phi(x) = 1 + elu(x):
    q = phi(Wq target), k = phi(Wk source), v = Wv source
    read = q (k^T v) / (q sum(k) + 1e-6), head by head
"""

from __future__ import annotations

from typing import Literal

from archdsl.spec.base import Node
from archdsl.spec.cost import Cost, linear, product
from archdsl.spec.fusion import AddFusion, Fusion
from archdsl.spec.heads.widths import latent_arguments
from archdsl.spec.rules import Rules
from archdsl.spec.shapes import StreamShape
from archdsl.spec.values import Count, Ratio


class LinearAttention(Node):
    """Softmax-free attention whose cost grows with the number of tokens, not with its square."""

    type: Literal["linear_attention"]
    latent_ratio: Ratio = 1.0
    """Latent channels c as a share of the querying stream's width (the paper's c = d/4 is 0.25)."""
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
            + linear(source_tokens, source_dim, latent_dim)
            + linear(source_tokens, source_dim, target_dim)
            + product(source_tokens * state)  # phi(k)^T v
            + product(target_tokens * state)  # phi(q) (phi(k)^T v)
            + product(target_tokens * latent_dim)  # the normaliser phi(q) sum(phi(k))
            # The division by it: published code folds it into an einsum of three operands, of
            # which fvcore counts half a multiply-add for each latent channel.
            + product(target_tokens * latent_dim // 2)
        )
