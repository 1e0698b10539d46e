"""Position tables on other grids than their own.

A table of positions does not say which grid its rows are of: 64 are 8x8, 4x16 or 16x4. Files of
ours say it beside their tensors; of others, a table is taken for square, and whoever loads it may
say otherwise. Nothing is taken where that leaves a choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isqrt, prod
from typing import TypeGuard

import torch
from timm.layers import pos_embed
from torch import Tensor

from archdsl.compiler.weights.values import is_floating
from archdsl.errors import WeightsError
from archdsl.free_memory import free_memory
from archdsl.plan.plan import Plan, StreamName
from archdsl.plan.published import BASE_PATCH
from archdsl.spec.shapes import Grid

Grids = Mapping[StreamName, Grid]
"""Stream -> (rows, columns) of the patches that its position table is for."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A position table whose rows are known.

    Args:
        values: (1, rows, dim).
        held: rows in front that are of prefix tokens.
        grid: (rows, columns) of the patches, which have the other rows.
    """

    values: Tensor
    held: int
    grid: Grid

    def on_grid(self, grid: Grid, *, prefix: int) -> Tensor:
        """The table for another grid, as timm makes it: bicubic with antialiasing, in float32.

        Args:
            grid: (rows, columns) to bring it to.
            prefix: number of prefix tokens there. The rows of these stay; a table that has none
                for them gets rows of zeros, which add the same.

        Returns:
            (1, prefix + patches, dim).
        """
        table = self.values
        if self.grid == grid and self.held == prefix:
            return table
        if self.grid != grid:
            brought: Tensor = pos_embed.resample_abs_pos_embed(
                table.float(),
                new_size=list(grid),
                old_size=list(self.grid),
                num_prefix_tokens=self.held,
            )
            table = brought.to(table.dtype)
        return torch.cat([table.new_zeros(1, prefix - self.held, table.shape[-1]), table], dim=1)

    def without_prefix(self) -> Table:
        """The rows of patches alone."""
        return replace(self, values=self.values[:, self.held :], held=0)


def grids_of(plan: Plan) -> Grids:
    """The grids of a plan's streams."""
    return {name: stream.grid for name, stream in plan.streams.items()}


def bring_tables(
    found: Mapping[str, Tensor], plan: Plan, *, stored: Grids, said: Grid | Grids | None
) -> tuple[dict[str, Tensor], list[str]]:
    """Tensors under our names, position tables on the grids of a plan's streams.

    Args:
        found: by name.
        plan: of the model they are for.
        stored: grids that the tables are for, as far as their file says it.
        said: the same as a caller says it, by stream or for all.

    Returns:
        The tensors, and a line for each table whose grid is not known; such tables, and what is no
        table of the stream's width, stay as they are.

    Raises:
        WeightsError: `said` is no grid.
    """
    by_stream = grids_said(said, plan)
    placed, lines = dict(found), []
    for stream, each in plan.streams.items():
        name = f"embeds.{stream}.position"
        values = found.get(name)
        if values is None or not is_table(values) or values.shape[2] != each.dim:
            continue
        known, told = by_stream.get(stream), stored.get(stream)
        if known and told and known != told:
            lines.append(
                f"  {name}: of {_written(told)} patches, as its file says; leave `grid` out"
            )
            continue
        prefix = len(each.prefix_tokens)
        table = read_table(
            values,
            prefix=prefix,
            wanted=[each.grid],
            said=known or told,
            stream=stream if len(plan.streams) > 1 else "",
        )
        if isinstance(table, Table):
            placed[name] = table.on_grid(each.grid, prefix=prefix)
        else:
            lines.append(f"  {name}: {table}")
    unused = found.get("unused.pos_embed")
    grid = (plan.image[1] // BASE_PATCH, plan.image[2] // BASE_PATCH)
    if unused is not None and is_table(unused) and unused.shape[1] != 1 + prod(grid):
        table = read_table(unused, prefix=1, wanted=[grid], said=None)
        if isinstance(table, Table):  # otherwise its rows matter to nobody
            placed["unused.pos_embed"] = table.on_grid(grid, prefix=1)
    return placed, lines


def grids_said(said: Grid | Grids | None, plan: Plan) -> Grids:
    """The grid of each stream, from the word `grid` of a caller.

    Raises:
        WeightsError: it is none, or of a stream that is not there.
    """
    grids = said if isinstance(said, Mapping) else dict.fromkeys(plan.streams, said)
    if said is None:
        return {}
    if not all(is_grid(grid) for grid in grids.values()) or not set(grids) <= set(plan.streams):
        streams = " or ".join(plan.streams)
        raise WeightsError(
            f"grid is {said!r}; it is (rows, columns) of patches, two whole numbers above 0, or a "
            f"mapping of streams ({streams}) to such"
        )
    return {stream: (grid[0], grid[1]) for stream, grid in grids.items() if grid}


def is_table(value: Tensor) -> bool:
    """Whether a tensor is (1, rows, dim) of floating-point numbers."""
    return is_floating(value) and value.dim() == 3 and len(value) == 1


def read_table(
    values: Tensor, *, prefix: int, wanted: Sequence[Grid], said: Grid | None, stream: str = ""
) -> Table | str:
    """Find out which grid a position table is for.

    Args:
        values: (1, rows, dim).
        prefix: number of prefix tokens of its model, which have a row each or, where positions are
            added before they join (DeiT III), none.
        wanted: grids that it is to be brought to.
        said: (rows, columns) it is for, where that is known.
        stream: whose it is, where others have tables, too.

    Returns:
        The table, or what is wrong with it or not known of it.
    """
    rows = values.shape[1]
    too_large = _too_large(values, largest=prefix + max(map(prod, wanted)))
    if too_large:
        return too_large
    if said:
        fits = [held for held in (prefix, 0) if rows - held == prod(said)]
        if fits:
            return Table(values=values, held=fits[0], grid=said)
        return f"its {rows} rows are not those of a grid of {_written(said)} patches"
    square = next(((held, grid) for held in (prefix, 0) if (grid := _square(rows - held))), None)
    as_many = [
        each
        for each in dict.fromkeys(wanted)
        if each[0] != each[1] and rows - prod(each) in (prefix, 0)
    ]
    if as_many:
        grids = ([square[1]] if square else []) + as_many
        written = ", ".join(map(_written, grids))
        says = " or ".join(_word(each, stream) for each in grids)
        return f"its {rows} rows may be of {written} or another grid of patches; say which: {says}"
    if square is None:
        return f"its {rows} rows are of no square grid of patches; say which by the word `grid`"
    return Table(values=values, held=square[0], grid=square[1])


def is_grid(value: object) -> TypeGuard[Grid]:
    """Whether a value is two whole numbers above 0."""
    return (
        isinstance(value, tuple | list)
        and len(value) == 2
        and all(isinstance(each, int) and each > 0 for each in value)
    )


def _too_large(values: Tensor, *, largest: int) -> str:
    """Why a table of more rows than wanted is not worked on; empty where it is."""
    rows, size = values.shape[1], values.numel() * values.element_size()
    if rows > largest and size > values.untyped_storage().nbytes():
        return f"its {rows} rows are the same few again and again, which no training leaves"
    needed, free = 2 * 4 * values.numel(), free_memory()  # in float32, as it is and as an image
    if needed > free:
        return (
            f"to resample its {rows} rows takes {needed / 1e9:.1f} GB of memory, and "
            f"{free / 1e9:.1f} GB are free"
        )
    return ""


def _square(number: int) -> Grid | None:
    side = isqrt(max(number, 0))
    return (side, side) if side and side**2 == number else None


def _written(grid: Grid) -> str:
    return f"{grid[0]}x{grid[1]}"


def _word(grid: Grid, stream: str) -> str:
    return f'grid={{"{stream}": {grid}}}' if stream else f"grid={grid}"
