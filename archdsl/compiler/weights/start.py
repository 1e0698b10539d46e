"""Trained weights as the start of a training: what fits is taken, what does not is told."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from archdsl.compiler.weights.layouts import guess
from archdsl.compiler.weights.load import shaped, translated
from archdsl.compiler.weights.mismatch import tensors_listed
from archdsl.compiler.weights.positions import bring_tables, grids_of
from archdsl.compiler.weights.reading import State
from archdsl.compiler.weights.values import not_finite, not_floating
from archdsl.compiler.weights.warm_start import WarmStart, warm_start
from archdsl.errors import WeightsError
from archdsl.nn.network import Network

_OUTPUT = ".linear."
"""In the name of a classifier's map to the classes."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """What became of some weights.

    Args:
        taken: parameters that hold their values, position tables of another grid, and the fresh.
        left_out: tensors of theirs that no parameter of the same name and shape takes.
        classifier: why the classifiers are fresh; empty where they are taken or there are none.
    """

    taken: WarmStart
    left_out: tuple[str, ...]
    classifier: str

    def __str__(self) -> str:
        lines = [str(self.taken)]
        if self.left_out:
            lines.append(f"{len(self.left_out)} left out: {tensors_listed(self.left_out)}")
        return "\n".join([*lines, *([self.classifier] if self.classifier else [])])


def start_from(model: Network, state: State, *, classes: tuple[str, ...]) -> Start:
    """Copy what fits of trained weights into `model`.

    Of weights of archdsl and of published ViTTMs every tensor is taken whose name and shape the
    model has; position tables are brought to its grids. Of a plain ViT of timm what `warm_start`
    takes. Classifiers are taken where the weights say that they are for the same classes, in the
    same order.

    Args:
        model: with fresh weights.
        state: what a file holds.
        classes: names of those to train for, by label.

    Raises:
        WeightsError: nothing fits, a ViT is of another depth or width, or its numbers are not
            finite.
    """
    layout = guess(state.tensors)
    if layout == "timm":
        taken = warm_start(model, state.tensors)
        return Start(taken=taken, left_out=(), classifier="classifiers begin fresh")
    theirs = state.told.get("reading", {}).get("class_names")
    same = theirs is not None and tuple(theirs) == classes
    plan, own = model.plan, model.state_dict()
    found = translated(state.tensors, plan, layout)
    grids = grids_of(plan) if state.arch_id == plan.arch_id else state.grids
    placed, _ = bring_tables(found, plan, stored=grids, said=None)
    fitting = {
        name: value
        for name, tensor in placed.items()
        if (value := shaped(name, tensor, plan)).shape == getattr(own.get(name), "shape", None)
        and (same or not (name.startswith("classifiers.") and _OUTPUT in name))
    }
    if not fitting:
        raise WeightsError("nothing of these weights fits: no tensor has the name and shape of one")
    if wrong := not_floating(fitting) or not_finite(fitting, own):
        raise WeightsError(f"these weights are not finite numbers: {tensors_listed(wrong)}")
    with torch.no_grad():
        for name, tensor in fitting.items():
            own[name].copy_(tensor)
    used = [name for name in own if not name.startswith("unused.")]
    moved = {name for name in fitting if name in found and placed[name] is not found[name]}
    return Start(
        taken=WarmStart(
            loaded=tuple(name for name in used if name in fitting and name not in moved),
            resampled=tuple(name for name in used if name in moved),
            fresh=tuple(name for name in used if name not in fitting),
            prefix=state.prefix,
        ),
        left_out=tuple(name for name in found if name not in fitting),
        classifier="" if same else _why_fresh(theirs, classes),
    )


def _why_fresh(theirs: object, classes: tuple[str, ...]) -> str:
    if not isinstance(theirs, list):
        return "classifiers begin fresh: these weights do not say what their classes are"
    if sorted(theirs) == sorted(classes):
        return "classifiers begin fresh: these weights have their classes in another order"
    return f"classifiers begin fresh: these weights are for {len(theirs)} other classes"
