"""The sizes of a stream, which every word around it needs to know."""

from __future__ import annotations

from dataclasses import dataclass

Grid = tuple[int, int]
"""(rows, columns)."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a stream's first tokens are made from.

    Args:
        grid: (height, width) of the image, or (rows, columns) of the other stream's tokens.
        channels: of the image, or the width of the other stream.
    """

    grid: Grid
    channels: int


@dataclass(frozen=True, kw_only=True)
class StreamShape:
    """Tokens and width of one stream.

    Args:
        name: `process` or `memory`.
        grid: (rows, columns) of the tokens that come from an image or a learned table.
        prefix_tokens: learned tokens in front of them (class token, distillation token).
        dim: width.
        num_heads: attention heads of the process blocks, the default of every head.
        sized: whether the grid is known; it is not where what it comes from is refused.
    """

    name: str
    grid: Grid
    prefix_tokens: int
    dim: int
    num_heads: int | None
    sized: bool = True

    @property
    def tokens(self) -> int:
        return self.grid[0] * self.grid[1] + self.prefix_tokens
