"""Linear attention (the paper's Linear head, Eq. 5-9, as published: several heads, normalised).

With c latent channels, H heads, width d and phi(x) = 1 + elu(x):
    q = phi(Wq target), k = phi(Wk source), v = Wv source
    read = q (k^T v) / (q sum(k) + 1e-6), head by head
"""

from __future__ import annotations

from typing import Literal

from archdsl.spec.base import Arguments
from archdsl.spec.cost import Cost, linear, product
from archdsl.spec.heads.widths import LatentWords
from archdsl.spec.rules import Rules
from archdsl.spec.shapes import StreamShape


class LinearAttention(LatentWords):
    """Softmax-free attention whose cost grows with the number of tokens, not with its square."""

    type: Literal["linear_attention"]
    normalise: bool = True
    """Whether the result is divided by q sum(k) (as published; the paper's Eq. 8 is without)."""
    out_proj: Literal["none", "allocated", "used"] = "none"
    """A linear map behind the attention: none, used, or allocated and never called (published)."""

    def arguments(
        self, *, target: StreamShape, source: StreamShape, rules: Rules
    ) -> Arguments | None:
        """Keyword arguments of the module for a target that reads from a source."""
        arguments = super().arguments(target=target, source=source, rules=rules)
        if arguments is not None and not self.normalise:
            arguments["normalise"] = False
        if arguments is not None and self.out_proj == "used":
            arguments["out_proj"] = True
        return arguments

    @staticmethod
    def cost(
        *,
        target_tokens: int,
        source_tokens: int,
        target_dim: int,
        source_dim: int,
        latent_dim: int,
        num_heads: int,
        normalise: bool = True,
        out_proj: bool = False,
    ) -> Cost:
        """Cost of one read (or write)."""
        state = latent_dim * target_dim // num_heads
        total = (
            linear(target_tokens, target_dim, latent_dim)
            + linear(source_tokens, source_dim, latent_dim)
            + linear(source_tokens, source_dim, target_dim)
            + product(source_tokens * state)  # phi(k)^T v
            + product(target_tokens * state)  # phi(q) (phi(k)^T v)
        )
        if normalise:
            total += product(target_tokens * latent_dim)  # the normaliser phi(q) sum(phi(k))
            # The division by it: published code folds it into an einsum of three operands, of
            # which fvcore counts half a multiply-add for each latent channel.
            total += product(target_tokens * latent_dim // 2)
        return total + linear(target_tokens, target_dim, target_dim) if out_proj else total
