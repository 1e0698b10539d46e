"""The training loop, and the scoring of a network on a split: one model, one device, one recipe."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from archdsl.storage.storage import Storage
from archdsl.training.checkpoint import Checkpoints, Progress
from archdsl.training.data.dataset import Dataset, Split
from archdsl.training.data.loading import batches
from archdsl.training.data.reading import Reading
from archdsl.training.device import shared_lock
from archdsl.training.divergence import REMEDY, DivergedError
from archdsl.training.ending import Ending
from archdsl.training.optimizer import check_schedule
from archdsl.training.recipe import Recipe
from archdsl.training.run_key import run_keys
from archdsl.training.tasks.task import Counts, Task
from archdsl.training.trainer import Trainer
from archdsl.training.world import ALONE, World

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
    world: World = ALONE,
) -> FitResult:
    """Train `model` in place on the train split and validate it after each epoch.

    Where the recipe has a moving average, that is the result: `model` ends with its weights.

    Between steps it gives way to measurements on the same device, its state in place.

    With a storage, a run that died is continued by the same call: on the CPU it ends with
    exactly the weights of an undisturbed run, from the last epoch, or from the very step where a
    signal asked it to end. A finished training is not repeated. The test split is never read.

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
        world: of the processes that share each step and the validation, all of which call this. The
            first alone uses the storage; all are told the same.

    Raises:
        DivergedError: a loss or gradient is infinite or not a number; says where, and what is left.
        DocumentError: the warm-up is longer than the training.
        ArchdslError: a word of the recipe has no effect on the model.
        DataError: an image cannot be decoded.
        DeviceLockError: a measurement keeps the device for ten minutes.
        WriteError: the storage refuses a file.
    """
    check_schedule(recipe, images=len(dataset.train))
    keys = run_keys(model, dataset, task=task, recipe=recipe, seed=seed)
    kept = storage is not None and world.first
    checkpoints = Checkpoints(storage, keys=keys) if storage is not None and kept else None
    course = _Course(
        model.to(device),
        dataset,
        task=task,
        recipe=recipe,
        seed=seed,
        device=device,
        checkpoints=checkpoints,
        on_step=on_step,
        world=world,
    )
    with closing(course.trainer):
        found = checkpoints.restore(model, course.trainer.load_state) if checkpoints else None
        found = world.share(found)
        if found is not None and world.size > 1:
            course.trainer.load_state(world.share(course.trainer.state()))
        course.progress = replace(found or Progress(key=keys[0]), key=keys[0])
        images = len(dataset.validation)
        for epoch, counts in enumerate(course.progress.counts, start=1):
            report(epoch, task.values(counts, images=images))
        for epoch in range(len(course.progress.counts) + 1, recipe.epochs + 1):
            counts = course.train_epoch(epoch)
            report(epoch, task.values(counts, images=images))
    progress = course.progress
    return FitResult(
        counts=progress.counts[-1],
        images=images,
        history=tuple(task.values(each, images=images) for each in progress.counts),
        raw_history=tuple(task.values(each, images=images) for each in progress.raw_counts),
        seconds=progress.seconds,
    )


class _Course:
    """A training under way: what it has come to, and what is kept of it."""

    def __init__(
        self,
        model: nn.Module,
        dataset: Dataset,
        *,
        task: Task,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        checkpoints: Checkpoints | None,
        on_step: OnStep,
        world: World,
    ) -> None:
        self.progress = Progress(key="")
        self.trainer = Trainer(
            model,
            dataset,
            task=task,
            recipe=recipe,
            seed=seed,
            device=device,
            after_step=self._after_step,
            world=world,
        )
        self._world = world
        self._model, self._dataset, self._recipe = model, dataset, recipe
        self._checkpoints, self._on_step, self._ending = checkpoints, on_step, Ending()
        self._lock = shared_lock(device, world)
        self._validation = dataset.validation.to(device)
        self._evaluate = partial(
            evaluate,
            split=self._validation,
            task=task,
            device=device,
            batch=recipe.images_at_once,
            after_batch=self._pause,
            world=world,
        )
        self._started = 0.0

    def train_epoch(self, epoch: int) -> Counts:
        """Train through an epoch, or what is left of it, validate and keep it."""
        trainer, before = self.trainer, self.progress
        self._started = time.perf_counter() - self._lock.seconds_waited
        with self._lock, self._ending.put_off():
            try:
                trainer.train_epoch(epoch, begin=before.steps)
            except DivergedError as error:
                left = _left(self._checkpoints, before)
                raise DivergedError(f"{error}; {left}; {REMEDY}") from None
            counts = self._evaluate(model=trainer.averaged or self._model)
            raw = [] if trainer.averaged is None else [self._evaluate(model=self._model)]
            self.progress = replace(
                before,
                counts=(*before.counts, counts),
                raw_counts=(*before.raw_counts, *raw),
                steps=0,
                seconds=self._seconds(),
            )
            self._keep(last=epoch == self._recipe.epochs)
        self._ending.act()
        return counts

    def _keep(self, *, last: bool) -> None:
        raw = self.trainer.adopt_average() if last else None
        if self._checkpoints is not None and last:
            reading = Reading.of(self._dataset)
            self._checkpoints.finish(self.progress, self._model, reading=reading, raw=raw)
        elif self._checkpoints is not None:
            self._checkpoints.save(self.progress, self.trainer.state())

    def _after_step(self, loss: Tensor, images: int) -> None:
        self._on_step(loss, images)
        self._pause()

    def _pause(self) -> None:
        """Give way to measurements, and to whoever asks this process to end."""
        wanted, ended = self._world.any(self._lock.is_wanted(), self._ending.asked is not None)
        if wanted:
            self._lock.give_way()
        if ended:
            self.trainer.share_statistics()
            if self._checkpoints is not None:
                begun = replace(self.progress, steps=self.trainer.steps, seconds=self._seconds())
                self._checkpoints.save(begun, self.trainer.state())
            self._world.share(None)  # the first one has written
            self._ending.act(signal.SIGTERM)

    def _seconds(self) -> float:
        now = time.perf_counter() - self._lock.seconds_waited
        return self.progress.seconds + now - self._started


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
    world: World = ALONE,
) -> Counts:
    """Count what a task counts over all images of a split, in float32.

    Args:
        model: on `device`. Left in the mode, training or evaluation, it came in.
        task: counts.
        batch: images per forward pass.
        images: the first so many; all unless given.
        after_batch: called after each forward pass.
        world: of the processes that share the images; the counts are those of all.

    Raises:
        DataError: an image cannot be decoded.
    """
    training = model.training
    model.eval()
    sums: dict[str, Tensor] = {}
    with torch.inference_mode():
        # Each process goes through as many batches as the others, if some of its own are empty.
        picked = [
            world.part(each) for each in torch.split(torch.arange(len(split))[:images], batch)
        ]
        read = batches(split, [[each for each in picked if len(each)]], device=device)
        for each in picked:
            counted = task.count(model, *next(read)) if len(each) else {}
            for name, found in counted.items():
                sums[name] = sums[name] + found if name in sums else found
            after_batch()
    model.train(training)
    return {name: found.tolist() for name, found in world.sum_all(sums).items()}
