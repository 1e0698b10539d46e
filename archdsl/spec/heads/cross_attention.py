"""Cross-attention (the paper's Cross head): target tokens attend to every source token.

Unless told otherwise as in published ViTTM models: queries, keys and values of the target's width,
each through a LayerNorm after its projection, and an out-projection. Other words give LookupViT's
(no LayerNorm on values, no out-projection) and CrossViT's, which works in the source's width:

    query = Linear(GELU(LayerNorm(target)))                     to the source's width
    query = query + attention(LayerNorm(query), LayerNorm(source))
    read  = Linear(GELU(LayerNorm(query)))                      back to the target's width
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from archdsl.spec.base import Arguments
from archdsl.spec.cost import Cost, fused_attention, layer_norm, linear, product
from archdsl.spec.heads.widths import AttentionWords
from archdsl.spec.rules import Rules
from archdsl.spec.shapes import StreamShape

Projection = Literal["q", "k", "v"]
ALL_NORMS: tuple[Projection, ...] = ("q", "k", "v")


class CrossAttention(AttentionWords):
    """Softmax attention from one stream to the other; costs target tokens times source tokens."""

    type: Literal["cross_attention"]
    queries: Literal["all", "cls"] = "all"
    """Tokens of the target that ask: all, or the class token alone (the others stay)."""
    keys: Literal["all", "patches"] = "all"
    """Tokens of the source that answer: all, or those without its prefix tokens."""
    with_query: bool = False
    """Whether the asking tokens are among the keys and values too."""
    width: Literal["target", "source"] = "target"
    """target: queries, keys and values have the target's width. source: the queries are carried to
    the source's width, attend there with a residual, and are carried back (CrossViT)."""
    norms: Annotated[tuple[Projection, ...], Field(strict=False, max_length=3)] | None = None
    """Which of q, k and v pass a LayerNorm after their projection: all unless given, none where
    the head works in the source's width."""
    out_proj: bool = True
    """Whether a linear map follows the attention."""

    def arguments(
        self, *, target: StreamShape, source: StreamShape, rules: Rules
    ) -> Arguments | None:
        """Keyword arguments of the module for a target that reads from a source."""
        self._check(target, source, rules)
        carried = self.width == "source"
        heads = self.heads(source, target, rules) if carried else self.heads(target, source, rules)
        if heads is None:
            return None
        norms = "".join(sorted(self.chosen_norms, key=ALL_NORMS.index))
        unusual: Arguments = {
            "norms": norms,
            "with_query": self.with_query,
            "carried": carried,
            "out_proj": self.out_proj,
        }
        usual: Arguments = {
            "norms": "qkv",
            "with_query": False,
            "carried": False,
            "out_proj": True,
        }
        return {
            "target_dim": target.dim,
            "source_dim": source.dim,
            "num_heads": heads,
            **{key: value for key, value in unusual.items() if value != usual[key]},
        }

    @property
    def chosen_norms(self) -> tuple[Projection, ...]:
        """Projections that pass a LayerNorm."""
        if self.norms is not None:
            return self.norms
        return ALL_NORMS if self.width == "target" else ()

    def _check(self, target: StreamShape, source: StreamShape, rules: Rules) -> None:
        if len(set(self.chosen_norms)) < len(self.chosen_norms):
            rules.refuse("names a projection twice", "norms")
        if self.queries == "cls" and not target.prefix_tokens:
            token = f"write {target.name}.prefix_tokens: [cls]"
            rules.refuse(f"the {target.name} stream has no class token; {token}", "queries")
        if self.keys == "patches" and not source.prefix_tokens:
            rules.refuse(f"the {source.name} stream has no prefix tokens to leave out", "keys")
        if self.with_query and self.width == "target" and target.dim != source.dim:
            rules.refuse(
                f"keys of the widths {target.dim} and {source.dim} need width: source", "with_query"
            )

    @staticmethod
    def cost(
        *,
        target_tokens: int,
        source_tokens: int,
        target_dim: int,
        source_dim: int,
        num_heads: int,
        norms: str = "qkv",
        with_query: bool = False,
        carried: bool = False,
        out_proj: bool = True,
        need_map: bool = False,
    ) -> Cost:
        """Cost of one read (or write); the number of heads changes nothing. An attention map that
        another word takes cannot be fused."""
        width = source_dim if carried else target_dim
        keys = source_tokens + target_tokens if with_query else source_tokens
        total = Cost()
        for each, tokens, inputs in (
            ("q", target_tokens, width if carried else target_dim),
            ("k", keys, source_dim),
            ("v", keys, source_dim),
        ):
            total += linear(tokens, inputs, width)
            total += layer_norm(tokens, width) if each in norms else Cost()
        if need_map:
            total += product(2 * target_tokens * keys * width)
        else:
            total += fused_attention(target_tokens, keys, width)
        if out_proj:
            total += linear(target_tokens, width, width)
        if carried:
            total += layer_norm(target_tokens, target_dim)
            total += linear(target_tokens, target_dim, width)
            total += layer_norm(target_tokens + source_tokens, width)
            total += layer_norm(target_tokens, width) + linear(target_tokens, width, target_dim)
        return total
