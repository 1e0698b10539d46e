"""One model taken through epochs: AdamW, a warm-up and a cosine, all chance drawn from a seed."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection
from typing import cast

import torch

# timm re-exports without saying so.
from timm.optim import param_groups_weight_decay  # type: ignore[attr-defined]
from timm.scheduler.cosine_lr import CosineLRScheduler
from torch import Tensor, nn

from archdsl.errors import ArchdslError
from archdsl.training.data.dataset import Split
from archdsl.training.data.loading import batches
from archdsl.training.data.views import views_of
from archdsl.training.draws import generator, seed_of
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.task import Task

LOSS_CHECK_STEPS = 50
"""Steps between looks at the losses: each look makes the host wait for the device."""

# It warns of a cosine of a single step, which is what few epochs of few images ask for.
logging.getLogger("timm.scheduler.cosine_lr").setLevel(logging.ERROR)


class DivergedError(ArchdslError):
    """The loss became infinite or not a number."""


class Trainer:
    """Takes a model through one epoch at a time; an epoch depends on its number alone.

    Args:
        model: on `device`.
        train: what to train on.
        task: gives the loss.
        recipe: what the optimiser, its schedule and the batches are made of.
        seed: of the order, the augmentation and what the model itself draws.
        after_step: called as after_step(loss, images) after each step of the optimiser; the loss is
            the mean over so many images, on `device`.
        images: the first so many of `train` alone; all unless given.
    """

    def __init__(
        self,
        model: nn.Module,
        train: Split,
        *,
        task: Task,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        after_step: Callable[[Tensor, int], None],
        images: int | None = None,
    ) -> None:
        self._model, self._task, self._recipe = model, task, recipe
        self._views = views_of(recipe, train, seed=seed)
        # Views are drawn on the CPU.
        self._train = train.to(device) if self._views is None else train
        self._seed, self._device, self._after_step = seed, device, after_step
        self._images = len(train) if images is None else images
        self._steps = math.ceil(self._images / recipe.batch)
        self.optimizer = build_optimizer(model, recipe)
        self._schedule = build_schedule(self.optimizer, recipe=recipe, steps_per_epoch=self._steps)

    def train_epoch(self, epoch: int) -> None:
        """Train through epoch `epoch`, counted from 1."""
        self._model.train()
        torch.manual_seed(seed_of(self._seed, epoch, "model"))
        losses: list[Tensor] = []
        # Even parts: a last step of one image would upset batch norms and the average gradient.
        picked = self._order(epoch).tensor_split(self._steps)
        read = batches(self._train, picked, device=self._device, views=self._views, epoch=epoch)
        for step, (images, targets) in enumerate(read, start=1):
            with torch.autocast(
                self._device.type,
                dtype=torch.bfloat16,
                enabled=self._recipe.amp and self._device.type == "cuda",
            ):
                loss = self._task.loss(self._model, images, targets, recipe=self._recipe)
            self._take_step(loss, number=(epoch - 1) * self._steps + step - 1)
            losses.append(loss.detach())
            if len(losses) == LOSS_CHECK_STEPS or step == self._steps:
                _check_losses(losses, epoch=epoch, first_step=step - len(losses) + 1)
                losses.clear()
            self._after_step(loss.detach(), len(images))

    def _order(self, epoch: int) -> Tensor:
        """The indices of an epoch: as many as there are images."""
        order = torch.randperm(self._images, generator=generator(self._seed, epoch, "order"))
        return order.repeat_interleave(self._recipe.repeats)[: len(order)]

    def _take_step(self, loss: Tensor, *, number: int) -> None:
        """Move the weights against the gradient; `number` counts all steps from 0."""
        self._schedule.step_update(number)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        if self._recipe.clip_grad:
            nn.utils.clip_grad_norm_(self._model.parameters(), self._recipe.clip_grad)
        self.optimizer.step()


def _check_losses(losses: list[Tensor], *, epoch: int, first_step: int) -> None:
    """Refuse the first loss that is not finite; all losses cross to the host at once."""
    for step, loss in enumerate(torch.stack(losses).tolist(), start=first_step):
        if not math.isfinite(loss):
            raise DivergedError(
                f"the loss became {loss} in epoch {epoch}, step {step}; "
                "a lower lr, a longer warm-up or clip_grad may help"
            )


def build_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW that spares vectors, biases and `model.no_weight_decay()` the weight decay."""
    no_weight_decay = cast(Callable[[], Collection[str]], model.no_weight_decay)
    groups = param_groups_weight_decay(
        model, recipe.weight_decay, no_weight_decay_list=no_weight_decay()
    )
    return torch.optim.AdamW(groups, lr=recipe.lr, fused=True)


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
