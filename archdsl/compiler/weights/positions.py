"""Position tables on other grids than their own."""

from __future__ import annotations

from math import isqrt, prod

import torch
from timm.layers import pos_embed
from torch import Tensor

from archdsl.spec.shapes import Grid


def prefix_rows(rows: int, *, prefix: int, grid: Grid) -> int | None:
    """How many rows of a position table are those of prefix tokens.

    Args:
        rows: of the table.
        prefix: number of prefix tokens of its model, which have a row each or, where positions are
            added before they join (DeiT III), none.
        grid: (rows, columns) of tokens the table is for, unless its own grid is square.

    Returns:
        `prefix` or 0; None where the table is neither for `grid` nor for a square one.
    """
    found = [held for held in (prefix, 0) if rows - held == prod(grid)]
    square = [held for held in (prefix, 0) if _is_square(rows - held)]
    return next(iter(found + square), None)


def on_grid(table: Tensor, *, prefix: int, grid: Grid) -> Tensor:
    """A position table brought to a grid, as timm does: bicubic with antialiasing, in float32.

    Args:
        table: (1, tokens, dim), of its own square grid or of `grid`; anything else comes back as
            it is.
        prefix: number of prefix tokens. Their rows stay; a table that has none for them gets rows
            of zeros, which add the same.
        grid: (rows, columns) to bring it to.
    """
    rows = table.shape[1] if table.dim() == 3 and len(table) == 1 else 0
    held = prefix_rows(rows, prefix=prefix, grid=grid)
    if held is None:
        return table
    if rows - held != prod(grid):
        brought: Tensor = pos_embed.resample_abs_pos_embed(
            table.float(), new_size=list(grid), num_prefix_tokens=held
        )
        table = brought.to(table.dtype)
    return torch.cat([table.new_zeros(1, prefix - held, table.shape[-1]), table], dim=1)


def _is_square(number: int) -> bool:
    return number > 0 and isqrt(number) ** 2 == number
