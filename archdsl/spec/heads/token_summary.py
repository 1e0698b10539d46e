"""Token summary (Token Turing Machines; the paper's TokenSummary head).

Each target token becomes a learned weighted sum of all source and target tokens. The weights come
from an MLP whose hidden and output widths are the number of target tokens, as in published models:
a change of resolution changes the parameters.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from archdsl.spec.base import Arguments
from archdsl.spec.cost import Cost, layer_norm, linear, product
from archdsl.spec.heads.base import HeadWords
from archdsl.spec.rules import Rules
from archdsl.spec.shapes import StreamShape


class TokenSummary(HeadWords):
    """Weighted sums of all tokens of both streams."""

    type: Literal["token_summary"]
    fixes_tokens: ClassVar[bool] = True

    def arguments(
        self, *, target: StreamShape, source: StreamShape, rules: Rules
    ) -> Arguments | None:
        """Keyword arguments of the module for a target that reads from a source."""
        return {
            "target_dim": target.dim,
            "source_dim": source.dim,
            "tokens": target.tokens,
        }

    @staticmethod
    def cost(
        *, target_tokens: int, source_tokens: int, target_dim: int, source_dim: int, tokens: int
    ) -> Cost:
        """Cost of one read (or write)."""
        every = source_tokens + target_tokens
        total = layer_norm(every, target_dim)
        total += linear(every, target_dim, tokens)
        total += linear(every, tokens, tokens)
        total += product(tokens * every * target_dim)
        if source_dim != target_dim:
            total += linear(source_tokens, source_dim, target_dim)
        return total
