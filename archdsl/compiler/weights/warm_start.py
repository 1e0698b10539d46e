"""A trained ViT's weights as the start of a model that has more than a ViT."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from archdsl.arguments import arguments
from archdsl.compiler.weights.layouts import renamed
from archdsl.compiler.weights.mismatch import differences, kernel_shape, tensors_listed
from archdsl.compiler.weights.positions import Table, grids_said, read_table
from archdsl.compiler.weights.reading import NETWORK, WEIGHTS, StateDict, read_state
from archdsl.compiler.weights.values import not_finite, not_floating
from archdsl.errors import WeightsError
from archdsl.nn.network import Network
from archdsl.plan.plan import BlocksStep, Plan, StreamName, StreamPlan, word_steps
from archdsl.spec.shapes import Grid

_NEEDED = ("patch_embed.proj.weight", "patch_embed.proj.bias", "pos_embed")
_BLOCK = re.compile(r"blocks\.(\d+)\.(.+)")
_PREFIX = {"cls_token": "cls", "dist_token": "distillation"}
_NORMS = ("norm", "pooled_norm")


@dataclass(frozen=True, kw_only=True)
class WarmStart:
    """Parameters of a model after a warm start, by name, in the model's order.

    Args:
        loaded: those that hold the ViT's values.
        resampled: position tables brought from the ViT's grid to another.
        fresh: all others, as they were drawn.
        prefix: what was taken off every name; empty where nothing was.
    """

    loaded: tuple[str, ...]
    resampled: tuple[str, ...]
    fresh: tuple[str, ...]
    prefix: str = ""

    def __str__(self) -> str:
        groups = {"loaded": self.loaded, "resampled": self.resampled, "fresh": self.fresh}
        lines = [
            f"{len(names)} {what}"
            + (f": {tensors_listed(names)}" if names and what != "loaded" else "")
            for what, names in groups.items()
        ]
        return "\n".join(lines + [f"{self.prefix!r} taken off every name"] * bool(self.prefix))


@arguments(model=NETWORK, weights=WEIGHTS)
def warm_start(
    model: Network, weights: str | Path | StateDict, *, grid: Grid | None = None
) -> WarmStart:
    """Copy what fits of a trained ViT (timm's layout; DeiTs too) into `model`.

    Taken are: the ViT's blocks, as the process stream's; the patch embedding, for each stream whose
    patches and width are the ViT's; its position table, for each stream of its width that has one,
    resampled to the stream's grid (bicubic, in float32), whether or not the patches agree; prefix
    tokens, and their rows of the table, where a stream has the same; its final norms, where the
    process stream's classifier has them. Classifiers stay as they are. What stands before every
    name (`module.`, `_orig_mod.`) is taken off.

    The table is taken for square; where it may be as well of a stream's grid that is not, or is of
    no square one, `grid` is needed.

    Args:
        model: a compiled document whose process stream has as many blocks as the ViT, all with
            weights of their own.
        weights: a state dict, or a file (safetensors, or torch's format read without unpickling).
        grid: (rows, columns) of the ViT's patches.

    Returns:
        What became of every parameter; tensors that nothing uses, as `published_layout` allocates
        them, are left out.

    Raises:
        ArgumentError: `model` is no compiled network, or `weights` are neither file nor mapping.
        WeightsError: the file cannot be read, it holds no plain ViT or anything but finite
            floating-point numbers, the grid of its table is not known, or its blocks are not those
            of the process stream. The model is then unchanged.
    """
    state = read_state(weights)
    vit = _Vit(_checked(state.tensors), _table(state.tensors, model.plan, grid))
    wanted = dict(model.named_parameters())
    found = vit.blocks(model.plan) | vit.norms(wanted)
    resampled: set[str] = set()
    for stream_name, stream in model.plan.streams.items():
        found |= vit.embedding(stream_name, stream)
        table = f"embeds.{stream_name}.position"
        value = vit.table_for(stream, wanted[table]) if table in wanted else None
        if value is not None:
            found[table] = value
            resampled |= set() if vit.has_grid_of(stream) else {table}
    _check_fits(found, wanted, _own_blocks(model.plan))
    with torch.no_grad():
        for name, tensor in found.items():
            wanted[name].copy_(tensor)
    used = [name for name in wanted if not name.startswith("unused.")]
    return WarmStart(
        loaded=tuple(name for name in used if name in found and name not in resampled),
        resampled=tuple(name for name in used if name in resampled),
        fresh=tuple(name for name in used if name not in found),
        prefix=state.prefix,
    )


@dataclass(frozen=True)
class _Vit:
    """The tensors of a plain ViT under timm's names, and its position table."""

    state: Mapping[str, Tensor]
    table: Table | None

    @property
    def dim(self) -> int:
        return self.state["pos_embed"].shape[-1]

    @property
    def prefix(self) -> tuple[str, ...]:
        return tuple(word for name, word in _PREFIX.items() if name in self.state)

    def blocks(self, plan: Plan) -> dict[str, Tensor]:
        """The blocks under the names of the process stream's, one after the other.

        Raises:
            WeightsError: they are not as many, or not as wide.
        """
        ours, dim = _own_blocks(plan), plan.streams["process"].dim
        theirs = {
            name: (int(block[1]), block[2])
            for name in self.state
            if (block := _BLOCK.fullmatch(name))
        }
        if self.dim != dim:
            raise WeightsError(
                f"nothing of these weights fits: they are {self.dim} wide, the process stream {dim}"
            )
        numbers = {number for number, _ in theirs.values()}
        if numbers != set(range(len(ours))):
            raise WeightsError(
                f"these weights have {len(numbers)} blocks, the process stream {len(ours)}; a warm "
                "start needs as many"
            )
        return {
            f"{ours[number]}.{part}": self.state[name] for name, (number, part) in theirs.items()
        }

    def norms(self, wanted: Container[str]) -> dict[str, Tensor]:
        """The final norms, as far as the process stream's classifier has them."""
        starts = tuple(f"classifiers.process.{norm}." for norm in _NORMS)
        ours = {renamed(name, "timm"): tensor for name, tensor in self.state.items()}
        return {
            name: tensor
            for name, tensor in ours.items()
            if name.startswith(starts) and name in wanted
        }

    def embedding(self, name: StreamName, stream: StreamPlan) -> dict[str, Tensor]:
        """The patch embedding and the prefix tokens of a stream that has the same."""
        kernel = self.state["patch_embed.proj.weight"]
        taken: dict[str, Tensor] = {}
        if tuple(kernel.shape) == kernel_shape(stream):
            taken[f"embeds.{name}.embed.proj.weight"] = kernel.flatten(1)
            taken[f"embeds.{name}.embed.proj.bias"] = self.state["patch_embed.proj.bias"]
        own = stream.embed.type != "copy" and stream.dim == self.dim
        if own and self.prefix and stream.prefix_tokens == self.prefix:
            tokens = [self.state[each] for each in _PREFIX if each in self.state]
            taken[f"embeds.{name}.prefix"] = torch.cat(tokens, dim=1)
        return taken

    def table_for(self, stream: StreamPlan, own: Tensor) -> Tensor | None:
        """The position table on a stream's grid; None where that cannot be."""
        if self.table is None or stream.dim != self.dim:
            return None
        if stream.prefix_tokens == self.prefix:
            return self.table.on_grid(stream.grid, prefix=len(self.prefix))
        patches = self.table.without_prefix().on_grid(stream.grid, prefix=0)
        return torch.cat([own[:, : len(stream.prefix_tokens)].to(patches), patches], dim=1)

    def has_grid_of(self, stream: StreamPlan) -> bool:
        """Whether the table is for the stream's grid."""
        return self.table is not None and self.table.grid == stream.grid


def _table(state: StateDict, plan: Plan, grid: Grid | None) -> Table | None:
    """The position table of a ViT; None where no stream takes it.

    Raises:
        ArgumentError: `model` is no compiled network, or `weights` are neither file nor mapping.
        WeightsError: its grid is not known.
    """
    values, said = state["pos_embed"], grids_said(grid, plan).get("process")
    takers = [stream for stream in plan.streams.values() if stream.dim == values.shape[2]]
    wanted = [each.grid for each in takers if each.embed.type not in ("copy", "learned")]
    if not wanted:
        return None
    prefix = sum(name in state for name in _PREFIX)
    table = read_table(values, prefix=prefix, wanted=wanted, said=said)
    if isinstance(table, str):
        raise WeightsError(f"pos_embed of these weights cannot be taken: {table}")
    return table


def _check_fits(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], own: list[str]) -> None:
    """Raise WeightsError unless every tensor has its place and all own blocks are found."""
    starts = tuple(f"{block}." for block in own)
    needed = {
        name: tuple(tensor.shape)
        for name, tensor in wanted.items()
        if name in found or name.startswith(starts)
    }
    lines = differences(found, needed)
    lines = lines or not_finite(found, wanted)
    if lines:
        text = "these weights do not fit the process stream:\n"
        raise WeightsError(text + "\n".join(lines))


def _checked(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, if they are those of a plain ViT.

    Raises:
        ArgumentError: `model` is no compiled network, or `weights` are neither file nor mapping.
        WeightsError: one is missing, or no plain ViT has it.
    """
    lines = {
        "missing": [name for name in _NEEDED if name not in state],
        "surplus": [name for name in state if renamed(name, "timm") == name],
        "of another shape": _misshapen(state),
        "not floating-point": not_floating(state),
    }
    if any(lines.values()):
        found = "; ".join(
            f"{what}: {tensors_listed(names)}" for what, names in lines.items() if names
        )
        raise WeightsError(
            f"these are not the weights of a plain ViT in timm's layout: {found}. "
            "archdsl.load_weights takes those of the model's own architecture"
        )
    return state


def _misshapen(state: StateDict) -> list[str]:
    """A position table that is not (1, tokens, dim), or prefix tokens that are not (1, 1, dim)."""
    table = tuple(state["pos_embed"].shape) if "pos_embed" in state else ()
    if len(table) != 3 or table[0] != 1:
        return ["pos_embed"] if "pos_embed" in state else []
    return [name for name in _PREFIX if name in state and state[name].shape != (1, 1, table[2])]


def _own_blocks(plan: Plan) -> list[str]:
    """Names of the process stream's blocks, in the order they run.

    Raises:
        ArgumentError: `model` is no compiled network, or `weights` are neither file nor mapping.
        WeightsError: layers share one.
    """
    steps = [
        (f"layers.{number}.process.blocks", step)
        for number, layer in enumerate(plan.layers)
        for step in word_steps(layer)
        if isinstance(step, BlocksStep) and step.word == "process"
    ]
    if any(block.shared for _, step in steps for block in step.blocks):
        raise WeightsError(
            "the process stream's blocks share their weights (process.block.weights: shared); a "
            "warm start needs per_layer"
        )
    return [f"{start}.{number}" for start, step in steps for number, _ in enumerate(step.blocks)]
