"""What a stream does on its own in every layer."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archdsl.spec.base import Arguments, Node, Weights
from archdsl.spec.cost import Cost, fused_attention, layer_norm, linear
from archdsl.spec.rules import Rules
from archdsl.spec.values import Count, Ratio, hidden_width


class BlockWords(Node):
    """What every block has."""

    type: str
    weights: Weights = "per_layer"
    """Weights of its own in every layer, or one block that all layers (and repeats) use."""
    revision: ClassVar[int] = 1
    """Raised when its module computes something else: trainings of before are then not found."""


class TransformerBlock(BlockWords):
    """timm's pre-norm block: attention, then an MLP, each with its residual."""

    type: Literal["transformer"]
    head_dim: Count | None = None
    """Channels per attention head; the stream's width divided by it is the number of heads."""
    num_heads: Count | None = None
    """Number of attention heads; instead of `head_dim`."""
    mlp_ratio: Ratio = 4.0
    """Hidden width of the MLP as a multiple of the stream's width."""
    layer_scale: Annotated[float, Field(gt=0, le=1)] | None = None
    """First value of a learned factor for each channel on both residual branches; none unless
    given (DeiT III: 1e-6)."""

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
        mlp_dim = hidden_width(dim, self.mlp_ratio, rules)
        if num_heads is None or mlp_dim is None:
            return None
        arguments: Arguments = {"dim": dim, "num_heads": num_heads, "mlp_dim": mlp_dim}
        if self.layer_scale is not None:
            arguments["layer_scale"] = self.layer_scale
        return arguments

    @staticmethod
    def cost(
        *, tokens: int, dim: int, num_heads: int, mlp_dim: int, layer_scale: float | None = None
    ) -> Cost:
        """Cost of one block; the number of heads changes nothing."""
        attention = linear(tokens, dim, 3 * dim) + fused_attention(tokens, tokens, dim)
        attention += layer_norm(tokens, dim) + linear(tokens, dim, dim)
        scales = Cost() if layer_scale is None else Cost(params=2 * dim)
        return attention + MlpBlock.cost(tokens=tokens, dim=dim, mlp_dim=mlp_dim) + scales


class MlpBlock(BlockWords):
    """x + MLP(LayerNorm(x)), token by token (the paper's Table 4, on the memory stream;
    LookupViT's, without the norm)."""

    type: Literal["mlp"]
    mlp_ratio: Ratio
    """Hidden width as a multiple of the stream's width."""
    norm: bool = True
    """Whether the MLP sees its tokens through a LayerNorm."""

    def arguments(self, *, dim: int, rules: Rules) -> Arguments | None:
        """Keyword arguments of the module."""
        mlp_dim = hidden_width(dim, self.mlp_ratio, rules)
        if mlp_dim is None:
            return None
        arguments: Arguments = {"dim": dim, "mlp_dim": mlp_dim}
        return arguments if self.norm else {**arguments, "norm": False}

    @staticmethod
    def cost(*, tokens: int, dim: int, mlp_dim: int, norm: bool = True) -> Cost:
        """Cost of one block."""
        hidden = linear(tokens, dim, mlp_dim) + linear(tokens, mlp_dim, dim)
        return layer_norm(tokens, dim) + hidden if norm else hidden


Block = Annotated[TransformerBlock | MlpBlock, Field(discriminator="type")]
"""Union of all blocks."""
