"""Learned tokens: a stream starts from the same table for every image (the paper's "latent")."""

from __future__ import annotations

from typing import ClassVar, Literal

from archdsl.spec.base import Arguments
from archdsl.spec.cost import Cost
from archdsl.spec.embeds.base import EmbedWords, Origin
from archdsl.spec.rules import Rules
from archdsl.spec.shapes import Grid, Source
from archdsl.spec.values import Count


class LearnedEmbed(EmbedWords):
    """A learned table in place of tokens of the image; it needs no positions."""

    type: Literal["learned"]
    num_tokens: Count
    """Number of tokens."""
    origin: ClassVar[Origin] = "nothing"

    def layout(self, source: Source, rules: Rules) -> Grid | None:
        """One row of tokens: they have no place in the image."""
        return 1, self.num_tokens

    def arguments(self, *, source: Source, dim: int, grid: Grid) -> Arguments:
        """Keyword arguments of the module."""
        return {"num_tokens": self.num_tokens, "dim": dim}

    @staticmethod
    def cost(*, tokens: int, num_tokens: int, dim: int) -> Cost:
        """Nothing is computed."""
        return Cost(params=num_tokens * dim)
