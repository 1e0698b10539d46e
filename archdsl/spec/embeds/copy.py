"""Copy: a stream starts as the other one, positions and prefix tokens included (Rev-ViT)."""

from __future__ import annotations

from typing import ClassVar, Literal

from archdsl.spec.base import Arguments
from archdsl.spec.cost import Cost
from archdsl.spec.embeds.base import EmbedWords, Origin
from archdsl.spec.rules import Rules
from archdsl.spec.shapes import Grid, Source


class CopyEmbed(EmbedWords):
    """The other stream's first tokens; both streams have one width."""

    type: Literal["copy"]
    origin: ClassVar[Origin] = "copy"

    def layout(self, source: Source, rules: Rules) -> Grid | None:
        """That of the other stream."""
        return source.grid

    def arguments(self, *, source: Source, dim: int, grid: Grid) -> Arguments:
        """There is no module."""
        return {}

    @staticmethod
    def cost(*, tokens: int) -> Cost:
        """A copy costs nothing."""
        return Cost()
