"""What a stream does on its own in every layer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from archdsl.spec.base import Node
from archdsl.spec.cost import Cost, fused_attention, layer_norm, linear
from archdsl.spec.rules import Rules
from archdsl.spec.values import Count, Ratio, floored

Arguments = dict[str, int]


class TransformerBlock(Node):
    """timm's pre-norm block: attention, then an MLP, each with its residual."""

    type: Literal["transformer"]
    head_dim: Count | None = None
    """Channels per attention head; the stream's width divided by it is the number of heads."""
    num_heads: Count | None = None
    """Number of attention heads; instead of `head_dim`."""
    mlp_ratio: Ratio = 4.0
    """Hidden width of the MLP as a multiple of the stream's width."""

    def heads(self, dim: int, rules: Rules) -> int | None:
        """Number of attention heads at a width."""
        if (self.head_dim is None) == (self.num_heads is None):
            found = "neither is given" if self.head_dim is None else "both are given"
            rules.refuse(f"{found}: give head_dim or num_heads (null removes one)")
            return None
        word = "head_dim" if self.head_dim is not None else "num_heads"
        value = self.head_dim or self.num_heads or 1
        if dim % value:
            rules.refuse(f"{value} does not divide the stream's width {dim}", word)
            return None
        return dim // value if word == "head_dim" else value

    def arguments(self, *, dim: int, rules: Rules) -> Arguments | None:
        """Keyword arguments of the module."""
        num_heads = self.heads(dim, rules)
        mlp_dim = _hidden(dim, self.mlp_ratio, rules)
        if num_heads is None or mlp_dim is None:
            return None
        return {"dim": dim, "num_heads": num_heads, "mlp_dim": mlp_dim}

    @staticmethod
    def cost(*, tokens: int, dim: int, num_heads: int, mlp_dim: int) -> Cost:
        """Cost of one block; the number of heads changes nothing."""
        attention = linear(tokens, dim, 3 * dim) + fused_attention(tokens, tokens, dim)
        attention += layer_norm(tokens, dim) + linear(tokens, dim, dim)
        return attention + MlpBlock.cost(tokens=tokens, dim=dim, mlp_dim=mlp_dim)


class MlpBlock(Node):
    """x + MLP(LayerNorm(x)), token by token (the paper's Table 4, on the memory stream)."""

    type: Literal["mlp"]
    mlp_ratio: Ratio
    """Hidden width as a multiple of the stream's width."""

    def arguments(self, *, dim: int, rules: Rules) -> Arguments | None:
        """Keyword arguments of the module."""
        mlp_dim = _hidden(dim, self.mlp_ratio, rules)
        return None if mlp_dim is None else {"dim": dim, "mlp_dim": mlp_dim}

    @staticmethod
    def cost(*, tokens: int, dim: int, mlp_dim: int) -> Cost:
        """Cost of one block."""
        hidden = linear(tokens, dim, mlp_dim) + linear(tokens, mlp_dim, dim)
        return layer_norm(tokens, dim) + hidden


Block = Annotated[TransformerBlock | MlpBlock, Field(discriminator="type")]
"""Union of all blocks."""


def _hidden(dim: int, ratio: float, rules: Rules) -> int | None:
    hidden = floored(ratio * dim)
    if hidden < 1:
        rules.refuse(f"{ratio} of the width {dim} leaves no hidden channel", "mlp_ratio")
        return None
    return hidden
