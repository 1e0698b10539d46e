"""Tied attention (LookupViT): a write that goes back along the attention map of the layer's read.

The read, a cross-attention of the process tokens, has found how much each of them took from each
memory token; the write gives values of the process tokens back in these shares:
    write = map^T Wv source
"""

from __future__ import annotations

from typing import ClassVar, Literal

from archdsl.spec.base import Arguments
from archdsl.spec.cost import Cost, layer_norm, linear, product
from archdsl.spec.heads.base import HeadWords
from archdsl.spec.rules import Rules
from archdsl.spec.shapes import StreamShape


class TiedAttention(HeadWords):
    """The read's attention map, transposed; only a write after a cross-attention read has one."""

    type: Literal["tied_attention"]
    renormalise: bool = False
    """Whether the shares of each target token are divided by their sum (LookupViT: no)."""
    values: Literal["own", "tied"] = "own"
    """A value projection of its own, or the read's (LookupViT; needs streams of one width)."""
    norm: bool = False
    """Whether values pass a LayerNorm after their projection (LookupViT: yes)."""
    out_proj: bool = False
    """Whether a linear map follows."""
    reads_target: ClassVar[bool] = False

    def arguments(
        self, *, target: StreamShape, source: StreamShape, rules: Rules
    ) -> Arguments | None:
        """Keyword arguments of the module; the number of heads comes from the read."""
        if self.values == "tied" and target.dim != source.dim:
            found = f"width {source.dim}, the {target.name} stream {target.dim}"
            rules.refuse(f"the read's values have the {found}; write values: own", "values")
            return None
        unusual = {
            "renormalise": self.renormalise,
            "tied_values": self.values == "tied",
            "norm": self.norm,
            "out_proj": self.out_proj,
        }
        return {
            "target_dim": target.dim,
            "source_dim": source.dim,
            **{key: True for key, value in unusual.items() if value},
        }

    @staticmethod
    def cost(
        *,
        target_tokens: int,
        source_tokens: int,
        target_dim: int,
        source_dim: int,
        num_heads: int,
        renormalise: bool = False,
        tied_values: bool = False,
        norm: bool = False,
        out_proj: bool = False,
    ) -> Cost:
        """Cost of one write; values that are tied are the read's parameters."""
        total = linear(source_tokens, source_dim, target_dim)
        if tied_values:
            total += Cost(params=-total.params)
        if norm:
            total += layer_norm(source_tokens, target_dim)
        if out_proj:
            total += linear(target_tokens, target_dim, target_dim)
        return total + product(target_tokens * source_tokens * target_dim)
