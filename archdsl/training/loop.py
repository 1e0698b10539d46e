"""The training loop: one model, one device, one recipe."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from timm.scheduler.cosine_lr import CosineLRScheduler
from torch import Tensor, nn

from archdsl.device_lock import SharedDeviceLock
from archdsl.errors import ArchdslError
from archdsl.storage.storage import Storage
from archdsl.training.augment import augment
from archdsl.training.checkpoint import Checkpoints, Progress
from archdsl.training.data.dataset import Dataset, Split
from archdsl.training.device import lock_names, synchronize
from archdsl.training.evaluate import evaluate
from archdsl.training.optimizer import build_optimizer, build_schedule
from archdsl.training.recipe import Recipe
from archdsl.training.run_key import run_keys
from archdsl.training.seeding import derive_seed, generator
from archdsl.training.tasks.task import Counts, Score, Task

Values = Mapping[str, float]
"""Metric to value."""

LOSS_CHECK_STEPS = 50
"""Steps between looks at the losses: each look makes the host wait for the device."""


class DivergedError(ArchdslError):
    """The loss became infinite or not a number."""

    def __init__(self, *, epoch: int, step: int, loss: float) -> None:
        self.epoch = epoch
        self.step = step
        super().__init__(
            f"the loss became {loss} in epoch {epoch}, step {step}; "
            "a lower lr, a longer warm-up or clip_grad may help"
        )


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """What a training came to.

    Args:
        counts: what the task counted on the validation images after the last epoch.
        images: of the validation split.
        scores: the metrics that follow from them.
        history: the values of the metrics after each epoch.
        seconds: wall time of training, validation and checkpoints, over all runs, without the
            time that was left to measurements.
    """

    counts: Counts
    images: int
    scores: Mapping[str, Score]
    history: tuple[Values, ...]
    seconds: float


def fit(
    model: nn.Module,
    dataset: Dataset,
    *,
    task: Task,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    storage: Storage | None,
    report: Callable[[int, Values], None],
) -> FitResult:
    """Train `model` in place on the train split and validate it after each epoch.

    Between steps it gives way to measurements on the same device, its state in place.

    With a storage, a run that died is continued by the same call: on the CPU it ends with
    exactly the weights of an undisturbed run. A finished training is not repeated. The test
    split is never read.

    Args:
        model: as the task needs it, with `model.no_weight_decay()` → names. Moved to `device`.
        task: gives the loss, and counts on the validation split.
        seed: decides order, augmentation and what the model itself draws; the global torch
            generators are seeded anew in each epoch.
        storage: where the checkpoint and at the end `weights.safetensors` lie; what is at a URL
            can be gone on with by another machine. None keeps nothing.
        report: called as report(epochs finished, value of each metric) once that epoch is kept
            there. A continued run first reports the epochs it finds done; what `report`
            raises ends the run and leaves the checkpoint.

    Raises:
        DivergedError: a loss is infinite or not a number.
        DataError: an image cannot be decoded.
        DeviceLockError: a measurement keeps the device for ten minutes.
        WriteError: the storage refuses a file.
    """
    lock = SharedDeviceLock(lock_names(device), synchronize=partial(synchronize, device))
    trainer = build_trainer(
        model.to(device),
        dataset.train.to(device),
        task=task,
        recipe=recipe,
        seed=seed,
        device=device,
        after_step=lock.yield_to_measurement,
    )
    validation = dataset.validation.to(device)
    validate = partial(evaluate, model, validation, task=task, device=device, batch=recipe.batch)
    values = partial(values_of, task=task, images=len(validation))
    keys = run_keys(model, dataset, task=task, recipe=recipe, seed=seed)
    checkpoints = Checkpoints(storage, keys=keys) if storage is not None else None
    found = checkpoints.restore(model, trainer.optimizer) if checkpoints is not None else None
    progress = replace(found or Progress(key=keys[0]), key=keys[0])
    for epoch, counts in enumerate(progress.counts, start=1):
        report(epoch, values(counts))
    for epoch in range(len(progress.counts) + 1, recipe.epochs + 1):
        started = time.perf_counter() - lock.seconds_waited
        with lock:
            trainer.train_epoch(epoch)
            counts = validate(after_batch=lock.yield_to_measurement)
            progress = replace(
                progress,
                counts=(*progress.counts, counts),
                seconds=progress.seconds + time.perf_counter() - lock.seconds_waited - started,
            )
            if checkpoints is not None and epoch < recipe.epochs:
                checkpoints.save(progress, model, trainer.optimizer)
            elif checkpoints is not None:
                checkpoints.finish(progress, model)
        report(epoch, values(counts))
    return FitResult(
        counts=counts,
        images=len(validation),
        scores=task.scores(counts, images=len(validation)),
        history=tuple(map(values, progress.counts)),
        seconds=progress.seconds,
    )


def values_of(counts: Counts, *, task: Task, images: int) -> Values:
    return {name: score.value for name, score in task.scores(counts, images=images).items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class Trainer:
    """Takes a model through one epoch at a time; an epoch depends on its number alone.

    Args:
        train: on `device`.
        task: gives the loss.
        steps: optimiser steps per epoch.
        after_step: called after each of them.
    """

    model: nn.Module
    train: Split
    task: Task
    recipe: Recipe
    seed: int
    device: torch.device
    optimizer: torch.optim.Optimizer
    schedule: CosineLRScheduler
    steps: int
    after_step: Callable[[], None]

    def train_epoch(self, epoch: int) -> None:
        """Train through epoch `epoch`, counted from 1."""
        self.model.train()
        torch.manual_seed(derive_seed(self.seed, epoch, "model"))
        order = torch.randperm(len(self.train), generator=generator(self.seed, epoch, "order"))
        draws = generator(self.seed, epoch, "augment")
        losses: list[Tensor] = []
        # Even parts: a last step of one image would upset batch norms and the average gradient.
        for step, indices in enumerate(order.tensor_split(self.steps), start=1):
            images, targets = self.train.batch(indices)
            images = augment(images, how=self.recipe.augment, generator=draws)
            with torch.autocast(
                self.device.type,
                dtype=torch.bfloat16,
                enabled=self.recipe.amp and self.device.type == "cuda",
            ):
                loss = self.task.loss(self.model, images, targets, recipe=self.recipe)
            self.take_step(loss, number=(epoch - 1) * self.steps + step - 1)
            losses.append(loss.detach())
            if len(losses) == LOSS_CHECK_STEPS or step == self.steps:
                check_losses(losses, epoch=epoch, first_step=step - len(losses) + 1)
                losses.clear()
            self.after_step()

    def take_step(self, loss: Tensor, *, number: int) -> None:
        """Move the weights against the gradient; `number` counts all steps from 0."""
        self.schedule.step_update(number)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        if self.recipe.clip_grad is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_grad)
        self.optimizer.step()


def build_trainer(
    model: nn.Module,
    train: Split,
    *,
    task: Task,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    after_step: Callable[[], None],
) -> Trainer:
    """The trainer of a recipe, with a fresh optimiser; model and images are on `device`."""
    steps = math.ceil(len(train) / recipe.batch)
    optimizer = build_optimizer(model, recipe)
    return Trainer(
        model=model,
        train=train,
        task=task,
        recipe=recipe,
        seed=seed,
        device=device,
        optimizer=optimizer,
        schedule=build_schedule(optimizer, recipe=recipe, steps_per_epoch=steps),
        steps=steps,
        after_step=after_step,
    )


def check_losses(losses: list[Tensor], *, epoch: int, first_step: int) -> None:
    """Refuse the first loss that is not finite; all losses cross to the host at once."""
    for step, loss in enumerate(torch.stack(losses).tolist(), start=first_step):
        if not math.isfinite(loss):
            raise DivergedError(epoch=epoch, step=step, loss=loss)
