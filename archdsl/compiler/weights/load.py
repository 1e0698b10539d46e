"""Published weights into compiled models: our own, those of timm's ViTs and CrossViTs, of published
ViTTMs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from archdsl.arguments import arguments
from archdsl.compiler.weights.layouts import LAYOUTS, Layout, guess, renamed, whole
from archdsl.compiler.weights.mismatch import kernel_shape, mismatches, tensors_listed
from archdsl.compiler.weights.positions import Grids, bring_tables, grids_of
from archdsl.compiler.weights.reading import NETWORK, WEIGHTS, StateDict, read_state
from archdsl.compiler.weights.values import is_floating, not_finite, not_floating
from archdsl.document.messages import one_of
from archdsl.errors import WeightsError
from archdsl.nn.network import Network
from archdsl.plan.plan import ExchangeStep, Plan, word_steps
from archdsl.spec.shapes import Grid


@dataclass(frozen=True, kw_only=True)
class LoadedWeights:
    """How weights were read.

    Args:
        layout: that their tensors are named in.
        prefix: what was taken off every name; empty where nothing was.
        resampled: position tables that were brought from another grid, by name.
    """

    layout: Layout
    prefix: str
    resampled: tuple[str, ...]


@arguments(model=NETWORK, weights=WEIGHTS)
def load_weights(
    model: Network,
    weights: str | Path | StateDict,
    layout: Literal["auto", "archdsl", "timm", "vittm"] = "auto",
    *,
    grid: Grid | Grids | None = None,
) -> LoadedWeights:
    """Copy published weights into `model`, tensor by tensor, in the type and on the device of its
    own.

    Position tables of another grid are resampled (bicubic, in float32, as timm does). Files that
    archdsl wrote say the grid of theirs; a table of others is taken for square. Where it may be as
    well of the model's own grid, which is not square, or is of no square one, `grid` is needed.
    What stands before every name (`module.`, `_orig_mod.`) is taken off. Tensors that published
    checkpoints hold and never use are taken where the model allocates them
    (`published_layout: true`) and left out otherwise.

    Args:
        model: a compiled document.
        weights: a state dict, or a file (safetensors, or torch's format read without unpickling).
        layout: how the tensors are named: `archdsl` (as here), `timm` (its ViTs, DeiTs with and
            without distillation, CrossViTs), `vittm` (published ViTTMs); `auto` tells from the
            names.
        grid: (rows, columns) of the patches that the position tables in `weights` are for, or one
            for each stream: `{"process": (4, 16), "memory": (8, 32)}`.

    Raises:
        ArgumentError: `model` is no compiled network, or `weights` are neither file nor mapping.
        WeightsError: the file cannot be read; any tensor is missing, surplus or of another shape,
            holds anything but finite floating-point numbers, or is a position table of an unknown
            grid; all of them are named. The model is then unchanged.
    """
    state = read_state(weights)
    chosen = guess(state.tensors) if layout == "auto" else layout
    if chosen not in LAYOUTS:
        raise WeightsError(f"layout {one_of(chosen, ('auto', *LAYOUTS))}")
    plan, own = model.plan, model.state_dict()
    found = translated(state.tensors, plan, chosen)
    grids = grids_of(plan) if state.arch_id == plan.arch_id else state.grids
    placed, problems = bring_tables(found, plan, stored=grids, said=grid)
    resampled = tuple(name for name in placed if placed[name] is not found[name])
    placed = {name: shaped(name, tensor, plan) for name, tensor in placed.items()}
    problems = [*mismatches(placed, model), *problems]
    if others := not_floating(placed):
        problems.append(f"  not floating-point: {tensors_listed(others)}")
    problems = problems or not_finite(placed, own)
    if problems:
        if chosen == "timm" and "memory" in plan.streams and "pos_embed" in state.tensors:
            problems.append("  archdsl.warm_start takes what fits of a ViT")
        off = f", {state.prefix!r} taken off every name" if state.prefix else ""
        raise WeightsError(
            f"these weights ({chosen} layout{off}) are not of this architecture:\n"
            + "\n".join(problems)
        )
    model.load_state_dict(placed)
    return LoadedWeights(layout=chosen, prefix=state.prefix, resampled=resampled)


def translated(state: StateDict, plan: Plan, layout: Layout) -> dict[str, Tensor]:
    """The tensors under our names."""
    unused = {name: f"unused.{name.replace('.', '/')}" for name in plan.unused}
    known_dead = _known_dead(state, plan, layout)
    sources: dict[str, str] = {}
    for name in state:
        ours = unused.get(name) or renamed(name, layout)
        if name in unused or name not in known_dead:
            if ours in sources:
                both = f"{sources[ours]} and {name}"
                raise WeightsError(f"{both} of these weights ({layout} layout) are both {ours}")
            sources[ours] = name
    return _joined({ours: state[name] for ours, name in sources.items()})


def _joined(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, pieces of one joined; those that do not fit together stay apart."""
    pieces: dict[str, list[str]] = {}
    for name in sorted(found):
        pieces.setdefault(whole(name), []).append(name)
    result = dict(found)
    for name, parts in pieces.items():
        if parts == [f"{name}[{number}]" for number in range(len(parts))] and _fit_together(
            found[part] for part in parts
        ):
            result[name] = torch.cat([result.pop(part) for part in parts], dim=1)
    return result


def _fit_together(tensors: Iterable[Tensor]) -> bool:
    shapes = [tuple(each.shape) for each in tensors]
    return all(shape == shapes[0] and shape[:-1] == (1, 1) for shape in shapes)


def _known_dead(state: StateDict, plan: Plan, layout: Layout) -> set[str]:
    """Tensors of published ViTTM checkpoints that nothing reads."""
    if layout != "vittm":
        return set()
    dead = {"cls_token", "pos_embed"} & set(state)
    if "memory_embedder.proj.weight" in state:  # otherwise the memory stream inherits it
        dead |= {name for name in state if name.startswith("patch_embed.")}
    for number, layer in enumerate(plan.layers):
        for step in word_steps(layer):
            if isinstance(step, ExchangeStep) and step.head.type == "linear_attention":
                prefix = f"{step.word}_head.{number}.proj."
                dead |= {name for name in state if name.startswith(prefix)}
    return dead


def shaped(name: str, tensor: Tensor, plan: Plan) -> Tensor:
    """A convolution's kernel as a linear map."""
    for stream_name, stream in plan.streams.items():
        if name == f"embeds.{stream_name}.embed.proj.weight":
            fits = is_floating(tensor) and tuple(tensor.shape) == kernel_shape(stream)
            return tensor.flatten(1) if fits else tensor
    return tensor
