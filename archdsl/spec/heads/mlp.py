"""MLP of the source (Rev-ViT): each target token takes its counterpart through an MLP."""

from __future__ import annotations

from typing import ClassVar, Literal

from archdsl.spec.base import Arguments
from archdsl.spec.cost import Cost, linear
from archdsl.spec.heads.base import HeadWords
from archdsl.spec.rules import Rules
from archdsl.spec.shapes import StreamShape
from archdsl.spec.values import Ratio, hidden_width


class MlpHead(HeadWords):
    """Two linear maps with GELU between them, whose result joins the target token by token."""

    type: Literal["mlp"]
    mlp_ratio: Ratio
    """Hidden width as a multiple of the source's width."""
    reads_target: ClassVar[bool] = False
    token_by_token: ClassVar[bool] = True

    def arguments(
        self, *, target: StreamShape, source: StreamShape, rules: Rules
    ) -> Arguments | None:
        """Keyword arguments of the module for a target that reads from a source."""
        mlp_dim = hidden_width(source.dim, self.mlp_ratio, rules)
        if mlp_dim is None:
            return None
        return {"target_dim": target.dim, "source_dim": source.dim, "mlp_dim": mlp_dim}

    @staticmethod
    def cost(
        *, target_tokens: int, source_tokens: int, target_dim: int, source_dim: int, mlp_dim: int
    ) -> Cost:
        """Cost of one read (or write)."""
        hidden = linear(source_tokens, source_dim, mlp_dim)
        return hidden + linear(source_tokens, mlp_dim, target_dim)
