"""Trained weights as the start of a training: what fits is taken, what does not is told."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.compiler.baseline import classifier_names
from archdsl.compiler.weights.layouts import guess
from archdsl.compiler.weights.load import shaped, translated
from archdsl.compiler.weights.mismatch import tensors_listed, words_with_tokens
from archdsl.compiler.weights.positions import (
    bring_tables,
    grids_of,
    is_grid,
    is_table,
    read_table,
)
from archdsl.compiler.weights.reading import State
from archdsl.compiler.weights.resized import REVISION, layers_of, to_depth, to_shape
from archdsl.compiler.weights.values import not_finite, not_floating
from archdsl.compiler.weights.warm_start import WarmStart, warm_start
from archdsl.errors import WeightsError
from archdsl.nn.network import Network
from archdsl.plan.baseline import Baseline

_TABLE = "pos_embed"
"""Of positions, in models of timm's."""
_OUTPUT = ".linear."
"""In the name of a classifier's map to the classes."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """What became of some weights.

    Args:
        taken: parameters that hold their values, position tables of another grid, and the fresh.
        left_out: tensors of theirs that no parameter of the same name and shape takes.
        classifier: why the classifiers are fresh; empty where they are taken or there are none.
        depths: numbers of layers, theirs and the model's, where they differ.
        resized: parameters whose values were cut or repeated, each with both shapes.
    """

    taken: WarmStart
    left_out: tuple[str, ...]
    classifier: str
    depths: tuple[int, int] | None = None
    resized: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [str(self.taken)]
        if self.depths:
            theirs, ours = self.depths
            spread = ", ".join(str(number * theirs // ours) for number in range(ours))
            lines.append(f"{ours} layers begin as layers {spread} of their {theirs}")
        if self.resized:
            lines.append(f"{len(self.resized)} cut or repeated: {tensors_listed(self.resized)}")
        if self.left_out:
            lines.append(f"{len(self.left_out)} left out: {tensors_listed(self.left_out)}")
        return "\n".join([*lines, *([self.classifier] if self.classifier else [])])


def start_from(model: nn.Module, state: State, *, classes: tuple[str, ...]) -> Start:
    """Copy what fits of trained weights into `model`.

    A model of timm's takes every tensor of its names and shapes, its position table from another
    grid. Into a network of ours, of weights of archdsl and of published ViTTMs every tensor is
    taken whose name and shape the model has; layers and widths are cut or repeated to the model's
    (see `resized`), and position tables are brought to its grids. Of a plain ViT of timm what
    `warm_start` takes.
    Classifiers are taken where the weights say that they are for the same classes, in the same
    order.

    Args:
        model: with fresh weights; one of ours, or of timm's.
        state: what a file holds.
        classes: names of those to train for, by label.

    Raises:
        WeightsError: nothing fits, a ViT is of another depth or width, or its numbers are not
            finite.
    """
    if isinstance(model, Network):
        if guess(state.tensors) == "timm":
            taken = warm_start(model, state.tensors)
            return Start(taken=taken, left_out=(), classifier="classifiers begin fresh")
        return _start_ours(model, state, classes)
    brought = _on_its_grid(model, state)
    moved = {name for name in brought if brought[name] is not state.tensors[name]}
    answers = tuple(classifier_names(model))
    return _taken(model, brought, state, classes=classes, answers=answers, moved=moved)


def start_revision(model: nn.Module, state: State) -> int:
    """What else than some weights decides what a model begins with: how those are cut or repeated
    for it, or brought to the grid of one of timm's; 0 where they are not."""
    if not isinstance(model, Network):
        return 0 if _on_its_grid(model, state) is state.tensors else REVISION
    if guess(state.tensors) == "timm":
        return 0
    found = translated(state.tensors, model.plan, guess(state.tensors))
    sized = _sized(found, model)
    same = sized.keys() == found.keys() and all(sized[name] is found[name] for name in found)
    return 0 if same else REVISION


def _on_its_grid(model: nn.Module, state: State) -> dict[str, Tensor]:
    """Weights for a model of timm's, the position table on its grid; themselves where there is none
    to bring to another, or where it is not known which it is for."""
    found, own = state.tensors, model.state_dict()
    patches: Any = getattr(model, "patch_embed", None)
    grid = getattr(patches, "grid_size", None)
    tables = [each[_TABLE] for each in (own, found) if _TABLE in each and is_table(each[_TABLE])]
    if len(tables) < 2 or not is_grid(grid) or (prefix := tables[0].shape[1] - prod(grid)) < 0:
        return found
    trained = Baseline.read(state.told.get("document", {}))
    said = None
    if trained is not None:
        (height, width), (rows, columns) = trained.image[1:], patches.patch_size
        said = height // rows, width // columns
    table = read_table(tables[1], prefix=prefix, wanted=[grid], said=said)
    if isinstance(table, str) or (table.grid, table.held) == (grid, prefix):
        return found
    return {**found, _TABLE: table.on_grid(grid, prefix=prefix)}


def _sized(found: Mapping[str, Tensor], model: Network) -> dict[str, Tensor]:
    """Their tensors by the model's layers and in its widths, as far as that can be."""
    own = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    sized, of_tokens = {}, tuple(words_with_tokens(model.plan))
    for name, tensor in to_depth(found, layers_of(own)).items():
        shape = own.get(name, tuple(tensor.shape))
        if name.endswith(".position"):  # its rows are brought to the grid later
            shape = (*tensor.shape[:-1], shape[-1])
        counts = name.startswith(of_tokens)
        sized[name] = to_shape(name, tensor, shape, counts_tokens=counts)
    return sized


def _start_ours(model: Network, state: State, classes: tuple[str, ...]) -> Start:
    plan = model.plan
    found = translated(state.tensors, plan, guess(state.tensors))
    layers = layers_of(found), layers_of(model.state_dict())
    placed = to_depth({name: shaped(name, each, plan) for name, each in found.items()}, layers[1])
    sized = _sized(placed, model)
    resized = [name for name in placed if sized[name] is not placed[name]]
    grids = grids_of(plan) if state.arch_id == plan.arch_id else state.grids
    brought, _ = bring_tables(sized, plan, stored=grids, said=None)
    moved = {name for name in sized if brought[name] is not sized[name]}
    answers = tuple(
        name for name in model.state_dict() if name.startswith("classifiers.") and _OUTPUT in name
    )
    start = _taken(model, brought, state, classes=classes, answers=answers, moved=moved)
    taken = {*start.taken.loaded, *start.taken.resampled}
    return replace(
        start,
        depths=None if layers[0] == layers[1] else layers,
        resized=tuple(
            f"{name} {tuple(placed[name].shape)} to {tuple(sized[name].shape)}"
            for name in resized
            if name in taken
        ),
    )


def _taken(
    model: nn.Module,
    found: Mapping[str, Tensor],
    state: State,
    *,
    classes: tuple[str, ...],
    answers: tuple[str, ...],
    moved: Collection[str] = (),
) -> Start:
    """Copy the tensors whose name and shape the model has; of classifiers those for its classes.

    Args:
        answers: what the names of tensors begin with that map to the classes.
        moved: names of position tables that come from another grid.
    """
    theirs = state.told.get("reading", {}).get("class_names")
    same, own = theirs is not None and tuple(theirs) == classes, model.state_dict()
    fitting = {
        name: tensor
        for name, tensor in found.items()
        if name in own
        and tensor.shape == own[name].shape
        and own[name].is_floating_point()  # batch norms count their batches
        and (same or not name.startswith(answers))
    }
    if not fitting:
        raise WeightsError("nothing of these weights fits: no tensor has the name and shape of one")
    if wrong := not_floating(fitting) or not_finite(fitting, own):
        raise WeightsError(f"these weights are not finite numbers: {tensors_listed(wrong)}")
    with torch.no_grad():
        for name, tensor in fitting.items():
            own[name].copy_(tensor)
    used = [
        name
        for name, tensor in own.items()
        if not name.startswith("unused.") and tensor.is_floating_point()
    ]
    return Start(
        taken=WarmStart(
            loaded=tuple(name for name in used if name in fitting and name not in moved),
            resampled=tuple(name for name in used if name in fitting and name in moved),
            fresh=tuple(name for name in used if name not in fitting),
            prefix=state.prefix,
        ),
        left_out=tuple(
            name
            for name, tensor in found.items()
            if name not in fitting and tensor.is_floating_point()
        ),
        classifier="" if same else _why_fresh(theirs, classes),
    )


def _why_fresh(theirs: object, classes: tuple[str, ...]) -> str:
    if not isinstance(theirs, list):
        return "classifiers begin fresh: these weights do not say what their classes are"
    if sorted(theirs) == sorted(classes):
        return "classifiers begin fresh: these weights have their classes in another order"
    return f"classifiers begin fresh: these weights are for {len(theirs)} other classes"
