"""AdamW and its learning rate: linear warm-up, then a cosine, per step."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import cast

import torch

# timm re-exports without saying so.
from timm.optim import param_groups_weight_decay  # type: ignore[attr-defined]
from timm.scheduler.cosine_lr import CosineLRScheduler
from torch import nn

from archdsl.training.recipe import Recipe


def build_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW that spares vectors, biases and `model.no_weight_decay()` the weight decay."""
    no_weight_decay = cast(Callable[[], Collection[str]], model.no_weight_decay)
    groups = param_groups_weight_decay(
        model, recipe.weight_decay, no_weight_decay_list=no_weight_decay()
    )
    return torch.optim.AdamW(groups, lr=recipe.lr, fused=True)


# It warns of a cosine of a single step, which is what few epochs of few images ask for.
logging.getLogger("timm.scheduler.cosine_lr").setLevel(logging.ERROR)


def build_schedule(
    optimizer: torch.optim.Optimizer, *, recipe: Recipe, steps_per_epoch: int
) -> CosineLRScheduler:
    """A schedule to be told each step's number, from 0, before the step is taken.

    It holds no state: the rate of a step depends on the step's number alone.
    """
    # warmup_epochs < epochs, so that at least one step is left to the cosine.
    warmup = int(recipe.warmup_epochs * steps_per_epoch)
    return CosineLRScheduler(
        optimizer,
        t_initial=recipe.epochs * steps_per_epoch - warmup,
        lr_min=recipe.min_lr,
        warmup_t=warmup,
        warmup_lr_init=recipe.lr / (warmup + 1),
        warmup_prefix=True,
        t_in_epochs=False,
    )
