"""The training loop, and the scoring of a network on a split: one model, one device, one recipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from archdsl.device_lock import SharedDeviceLock
from archdsl.storage.storage import Storage
from archdsl.training.checkpoint import Checkpoints, Progress
from archdsl.training.data.dataset import Dataset, Split
from archdsl.training.data.loading import batches
from archdsl.training.data.reading import Reading
from archdsl.training.device import lock_names, synchronize
from archdsl.training.divergence import DivergedError
from archdsl.training.optimizer import check_schedule
from archdsl.training.recipe import Recipe
from archdsl.training.run_key import run_keys
from archdsl.training.tasks.task import Counts, Task
from archdsl.training.trainer import Trainer

Values = Mapping[str, float]
"""Metric to value."""
OnStep = Callable[[Tensor, int], None]
"""Takes the loss of a step, and of how many images."""


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """What a training came to.

    Args:
        counts: what the task counted on the validation images after the last epoch.
        images: of the validation split.
        history: the values of the metrics after each epoch.
        raw_history: the same of the weights that a moving average, the result, is of; empty where
            the recipe has none.
        seconds: wall time of training, validation and checkpoints, over all runs, without the
            time that was left to measurements.
    """

    counts: Counts
    images: int
    history: tuple[Values, ...]
    raw_history: tuple[Values, ...]
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
    on_step: OnStep = lambda loss, images: None,
) -> FitResult:
    """Train `model` in place on the train split and validate it after each epoch.

    Where the recipe has a moving average, that is the result: `model` ends with its weights.

    Between steps it gives way to measurements on the same device, its state in place.

    With a storage, a run that died is continued by the same call: on the CPU it ends with
    exactly the weights of an undisturbed run. A finished training is not repeated. The test
    split is never read.

    Args:
        model: as the task needs it, with `model.no_weight_decay()` → names. Moved to `device`.
        task: gives the loss, and counts on the validation split.
        seed: decides order, augmentation and what the model itself draws; the global torch
            generators are seeded anew in each step.
        storage: where the checkpoint and at the end `weights.safetensors` lie; what is at a URL
            can be gone on with by another machine. None keeps nothing.
        report: called as report(epochs finished, value of each metric) once that epoch is kept
            there. A continued run first reports the epochs it finds done; what `report`
            raises ends the run and leaves the checkpoint.
        on_step: called as on_step(loss, images) after each step; the loss is the mean over so many
            images, and stays on `device`: to read it is to wait for that.

    Raises:
        DivergedError: a loss or gradient is infinite or not a number; says where, and what is left.
        DocumentError: the warm-up is longer than the training.
        ArchdslError: a word of the recipe has no effect on the model.
        DataError: an image cannot be decoded.
        DeviceLockError: a measurement keeps the device for ten minutes.
        WriteError: the storage refuses a file.
    """
    check_schedule(recipe, images=len(dataset.train))
    lock = SharedDeviceLock(lock_names(device), synchronize=partial(synchronize, device))

    def after_step(loss: Tensor, images: int) -> None:
        on_step(loss, images)
        lock.yield_to_measurement()

    trainer = Trainer(
        model.to(device),
        dataset,
        task=task,
        recipe=recipe,
        seed=seed,
        device=device,
        after_step=after_step,
    )
    validation = dataset.validation.to(device)
    validate = partial(_validate, validation, task, recipe, device, lock)

    def values(counts: Counts) -> Values:
        return task.values(counts, images=len(validation))

    keys = run_keys(model, dataset, task=task, recipe=recipe, seed=seed)
    checkpoints = Checkpoints(storage, keys=keys) if storage is not None else None
    found = checkpoints.restore(model, trainer.load_state) if checkpoints is not None else None
    progress = replace(found or Progress(key=keys[0]), key=keys[0])
    for epoch, counts in enumerate(progress.counts, start=1):
        report(epoch, values(counts))
    for epoch in range(len(progress.counts) + 1, recipe.epochs + 1):
        started = time.perf_counter() - lock.seconds_waited
        with lock:
            try:
                trainer.train_epoch(epoch)
            except DivergedError as error:
                raise DivergedError(f"{error}; {_left(checkpoints, progress)}") from None
            counts = validate(trainer.averaged or model)
            raw = [] if trainer.averaged is None else [validate(model)]
            progress = replace(
                progress,
                counts=(*progress.counts, counts),
                raw_counts=(*progress.raw_counts, *raw),
                seconds=progress.seconds + time.perf_counter() - lock.seconds_waited - started,
            )
            before = trainer.adopt_average() if epoch == recipe.epochs else None
            if checkpoints is not None and epoch < recipe.epochs:
                checkpoints.save(progress, trainer.state())
            elif checkpoints is not None:
                checkpoints.finish(progress, model, reading=Reading.of(dataset), raw=before)
        report(epoch, values(counts))
    return FitResult(
        counts=counts,
        images=len(validation),
        history=tuple(map(values, progress.counts)),
        raw_history=tuple(map(values, progress.raw_counts)),
        seconds=progress.seconds,
    )


def _validate(  # noqa: PLR0917 - one place calls it
    split: Split,
    task: Task,
    recipe: Recipe,
    device: torch.device,
    lock: SharedDeviceLock,
    model: nn.Module,
) -> Counts:
    pause = lock.yield_to_measurement
    return evaluate(
        model, split, task=task, device=device, batch=recipe.images_at_once, after_batch=pause
    )


def _left(checkpoints: Checkpoints | None, progress: Progress) -> str:
    """What a training that diverged leaves."""
    epochs = len(progress.counts)
    if not epochs:
        return "no epoch was finished before"
    if checkpoints is None:
        return f"the last good epoch, {epochs}, was not kept"
    return f"the last good checkpoint is that of epoch {epochs}: {checkpoints.where(progress)}"


def evaluate(
    model: nn.Module,
    split: Split,
    *,
    task: Task,
    device: torch.device,
    batch: int,
    images: int | None = None,
    after_batch: Callable[[], None] = lambda: None,
) -> Counts:
    """Count what a task counts over all images of a split, in float32.

    Args:
        model: on `device`. Left in the mode, training or evaluation, it came in.
        task: counts.
        batch: images per forward pass.
        images: the first so many; all unless given.
        after_batch: called after each forward pass.

    Raises:
        DataError: an image cannot be decoded.
    """
    training = model.training
    model.eval()
    sums: dict[str, Tensor] = {}
    with torch.inference_mode():
        picked = torch.split(torch.arange(len(split))[:images], batch)
        for read in batches(split, picked, device=device):
            for name, found in task.count(model, *read).items():
                sums[name] = sums[name] + found if name in sums else found
            after_batch()
    model.train(training)
    return {name: found.tolist() for name, found in sums.items()}
