"""The optimiser of a recipe and its learning rate, step by step."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any, cast

import torch

# timm re-exports without saying so.
from timm.optim import (  # type: ignore[attr-defined]
    create_optimizer_v2,
    param_groups_layer_decay,
    param_groups_weight_decay,
)
from timm.optim.muon import _is_suitable_for_muon
from timm.scheduler.cosine_lr import CosineLRScheduler
from torch import nn

from archdsl.compiler.baseline import classifier_names
from archdsl.errors import DocumentError, Problem
from archdsl.training.recipe import Recipe

NOT_FOR_MUON = ("classifiers.*", "*.gate.*")
"""Matrices of a network whose rows are answers, not features."""

# It warns of a cosine of a single step, which is what few epochs of few images ask for.
logging.getLogger("timm.scheduler.cosine_lr").setLevel(logging.ERROR)


def build_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """
    Args:
        model: `model.no_weight_decay()` -> names of what does not decay, beside vectors and biases,
            where it has that;
            a layer decay needs timm's `model.group_matcher()`.
    """
    more: dict[str, Any] = {"fused": True} if recipe.optimizer == "adamw" else {}
    optimizer: torch.optim.Optimizer = create_optimizer_v2(
        parameter_groups(model, recipe), recipe.optimizer, lr=recipe.lr, **more
    )
    return optimizer


def parameter_groups(model: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """What is trained, in groups of one weight decay, share of the learning rate and optimiser."""
    exempt = _exempt(model)
    answers = [f"{name}*" for name in classifier_names(model)]
    not_for_muon = {*NOT_FOR_MUON, *answers, *exempt}
    words: dict[str, Any] = {
        "weight_decay": recipe.weight_decay,
        "weight_decay_exclude_1d": not recipe.decay_all,
        "no_weight_decay_list": () if recipe.decay_all else exempt,
        "fallback_list": not_for_muon if recipe.optimizer == "muon" else (),
    }
    groups: list[dict[str, Any]] = (
        param_groups_weight_decay(model, **words)
        if recipe.layer_decay == 1
        else param_groups_layer_decay(model, layer_decay=recipe.layer_decay, **words)
    )
    return groups


def optimizer_remarks(model: nn.Module, recipe: Recipe) -> list[str]:
    """What a person should know of how a model will be optimised, a sentence each."""
    if recipe.optimizer != "muon":
        return []
    names = {id(weight): name for name, weight in model.named_parameters()}
    left: Counter[str] = Counter()
    for group in parameter_groups(model, recipe):
        for weight in group["params"]:
            if group.get("use_fallback") or not _is_suitable_for_muon(weight):
                left[_kind(names[id(weight)], weight)] += weight.numel()
    found = ", ".join(f"{kind} ({count:,})" for kind, count in left.items())
    return [f"muon leaves to AdamW, with their numbers of parameters: {found}"]


def _kind(name: str, weight: nn.Parameter) -> str:
    kinds = {"classifiers": "classifiers", "gate": "gates", "position": "position tables",
             "prefix": "prefix tokens"}  # fmt: skip
    found = next((kinds[step] for step in name.split(".") if step in kinds), None)
    return found or ("biases and norms" if weight.ndim < 2 else name)


def _exempt(model: nn.Module) -> Collection[str]:
    found = getattr(model, "no_weight_decay", None)  # not all models of timm's have it
    return () if found is None else cast(Callable[[], Collection[str]], found)()


def check_schedule(recipe: Recipe, *, images: int) -> None:
    """Refuse a warm-up that is longer than a training on so many images.

    Raises:
        DocumentError: it is.
    """
    steps = recipe.epochs * math.ceil(images / recipe.batch)
    warmup = recipe.warmup_steps or 0
    if warmup < steps or warmup == 0:
        return
    message = (
        f"{warmup:,} steps are no fewer than all {steps:,} of {recipe.epochs} epochs of {images:,} "
        f"images in batches of {recipe.batch}; say fewer, or more epochs"
    )
    problem = Problem(source="recipe", line=0, column=0, path="warmup_steps", message=message)
    raise DocumentError([problem])


def build_schedule(
    optimizer: torch.optim.Optimizer, *, recipe: Recipe, steps_per_epoch: int
) -> CosineLRScheduler:
    """A schedule to be told each step's number, from 0, before the step is taken.

    It holds no state: the rate of a step depends on the step's number alone.
    """
    steps = recipe.epochs * steps_per_epoch
    # warmup_epochs < epochs, so that at least one step is left to the cosine.
    warmup = int(recipe.warmup_epochs * steps_per_epoch)
    if recipe.warmup_steps is not None:
        warmup = min(recipe.warmup_steps, steps - 1)  # less than it is tried with a few images
    first = recipe.lr / (warmup + 1) if recipe.warmup_lr is None else recipe.warmup_lr
    return CosineLRScheduler(
        optimizer,
        t_initial=steps - warmup,
        lr_min=recipe.min_lr,
        warmup_t=warmup,
        warmup_lr_init=first,
        warmup_prefix=True,
        t_in_epochs=False,
    )
