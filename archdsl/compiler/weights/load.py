"""Published weights into compiled models: our own, those of timm's ViTs and CrossViTs, of published
ViTTMs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from archdsl.compiler.weights.layouts import LAYOUTS, Layout, guess, renamed, whole
from archdsl.compiler.weights.mismatch import kernel_shape, mismatches
from archdsl.compiler.weights.positions import on_grid
from archdsl.compiler.weights.reading import StateDict, read_state
from archdsl.document.messages import one_of
from archdsl.errors import WeightsError
from archdsl.nn.network import Network
from archdsl.plan.plan import ExchangeStep, Plan, word_steps
from archdsl.plan.published import BASE_PATCH


def load_weights(
    model: Network,
    weights: str | Path | StateDict,
    layout: Literal["auto", "archdsl", "timm", "vittm"] = "auto",
) -> None:
    """Copy published weights into `model`, tensor by tensor, in the type and on the device of its
    own.

    Position tables of another grid are resampled (bicubic, in float32, as timm does); a table of as
    many tokens is taken as it is. Tensors that published checkpoints hold and never use are taken
    where the model allocates them (`published_layout: true`) and left out otherwise.

    Args:
        model: a compiled document.
        weights: a state dict, or a file (safetensors, or torch's format read without unpickling).
        layout: how the tensors are named: `archdsl` (as here), `timm` (its ViTs, DeiTs with and
            without distillation, CrossViTs), `vittm` (published ViTTMs); `auto` tells from the
            names.

    Raises:
        WeightsError: the file cannot be read, or any tensor is missing, surplus or of another
            shape; all of them are named. The model is then unchanged.
    """
    state = read_state(weights)
    chosen = guess(set(state)) if layout == "auto" else layout
    if chosen not in LAYOUTS:
        raise WeightsError(f"layout {one_of(chosen, ('auto', *LAYOUTS))}")
    found = _translated(state, model, chosen)
    problems = mismatches(found, model)
    if problems:
        if chosen == "timm" and "memory" in model.plan.streams and "pos_embed" in state:
            problems.append("  archdsl.warm_start takes what fits of a ViT")
        raise WeightsError(
            f"these weights ({chosen} layout) are not of this architecture:\n" + "\n".join(problems)
        )
    model.load_state_dict(found)


def _translated(state: StateDict, model: Network, layout: Layout) -> dict[str, Tensor]:
    """The tensors under our names, shaped as ours where only the form differs."""
    unused = {name: f"unused.{name.replace('.', '/')}" for name in model.plan.unused}
    known_dead = _known_dead(state, model.plan, layout)
    sources: dict[str, str] = {}
    for name in state:
        ours = unused.get(name) or renamed(name, layout)
        if name in unused or name not in known_dead:
            if ours in sources:
                both = f"{sources[ours]} and {name}"
                raise WeightsError(f"{both} of these weights ({layout} layout) are both {ours}")
            sources[ours] = name
    found = _joined({ours: state[name] for ours, name in sources.items()})
    return {name: _shaped(name, tensor, model.plan) for name, tensor in found.items()}


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
    return all(len(shape) == 3 and shape[::2] == shapes[0][::2] for shape in shapes)


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


def _shaped(name: str, tensor: Tensor, plan: Plan) -> Tensor:
    """A convolution's kernel as a linear map, a position table on the grid of ours."""
    if name == "unused.pos_embed":
        grid = (plan.image[1] // BASE_PATCH, plan.image[2] // BASE_PATCH)
        return on_grid(tensor, prefix=1, grid=grid)
    for stream_name, stream in plan.streams.items():
        if name == f"embeds.{stream_name}.position" and tensor.shape[-1:] == (stream.dim,):
            return on_grid(tensor, prefix=len(stream.prefix_tokens), grid=stream.grid)
        if name == f"embeds.{stream_name}.embed.proj.weight":
            fits = tuple(tensor.shape) == kernel_shape(stream)
            return tensor.flatten(1) if fits else tensor
    return tensor
