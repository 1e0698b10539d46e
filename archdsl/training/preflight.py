"""Before a training is paid for: whether it fits into memory, and how long it will take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable
from contextlib import closing
from functools import partial
from itertools import pairwise
from statistics import median

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.multiprocessing.reductions import StorageWeakRef

from archdsl.device_lock import SharedDeviceLock
from archdsl.errors import NotEnoughMemoryError
from archdsl.plan.baseline import Baseline
from archdsl.spec.model import ModelSpec
from archdsl.training.data.dataset import Dataset, check_data
from archdsl.training.data.loading import processes
from archdsl.training.data.views import views_of
from archdsl.training.device import free_bytes, lock_names, synchronize
from archdsl.training.loop import evaluate
from archdsl.training.optimizer import build_optimizer, check_schedule
from archdsl.training.recipe import Recipe
from archdsl.training.recomputing import Recomputing
from archdsl.training.tasks.task import Task
from archdsl.training.trainer import Trainer, autocast, precision_of

MOMENTS = {"adamw": 2, "lamb": 2, "sgd": 1, "muon": 1}
"""Of a weight, that an optimiser keeps at least."""
TIMED_STEPS, TIMED_SECONDS = 4, 1.0
"""Of a training, at least."""
# Given a type here: torch leaves this constructor without any.
_reference: Callable[[torch.UntypedStorage], Hashable] = StorageWeakRef
_GIB = 2**30


def check_fits(
    build: Callable[[], nn.Module],
    *,
    task: Task,
    image_shape: tuple[int, int, int],
    recipe: Recipe,
    device: torch.device,
) -> int:
    """Refuse a training that needs more memory than there is, without allocating anything.

    What counts is the least that a training holds at the end of a forward pass: weights, gradients
    and moments, and every tensor that the backward pass will need. What an operation allocates only
    while it runs comes on top.

    Args:
        build: makes the network, here on the meta device if it can.
        task: gives the loss.
        image_shape: (channels, height, width).
        recipe: its batch, optimiser and precision.
        device: where the training would run.

    Returns:
        Bytes that it needs.

    Raises:
        NotEnoughMemoryError: it does; says how much.
    """
    with torch.device("meta"):
        model = build().to("meta")
        images = torch.zeros(recipe.images_at_once, *image_shape)
    activations = _saved_bytes(model, images, task=task, recipe=recipe)
    if precision_of(recipe, device) != torch.float32:
        activations //= 2  # at the best: some operations stay in float32
    # Of every weight: itself, its gradient, the optimiser's moments, and its moving average.
    copies = 2 + MOMENTS[recipe.optimizer] + (recipe.ema is not None)
    needed = copies * sum(weight.nbytes for weight in model.parameters()) + activations
    free = free_bytes(device)
    if needed > free:
        raise NotEnoughMemoryError(
            f"a training in batches of {recipe.images_at_once} takes at least "
            f"{needed / _GIB:.1f} GiB, but {device.type} has {free / _GIB:.1f} GiB free"
        )
    return needed


def _saved_bytes(model: nn.Module, images: Tensor, *, task: Task, recipe: Recipe) -> int:
    """Bytes that a forward pass keeps for the backward pass, beside the weights."""
    own = {_reference(weight.untyped_storage()) for weight in model.parameters()}
    saved: dict[Hashable, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved.setdefault(_reference(storage), storage.nbytes())
        return tensor.detach()  # the graph would hold what holds the graph, for ever

    model.train()
    again = Recomputing(model, recipe.grad_checkpointing)
    with again.inside(), saved_tensors_hooks(keep, lambda tensor: tensor):
        # The loss keeps the graph, and with it every saved tensor, alive until all are counted.
        loss = task.loss(model, images, task.blank_targets(images), recipe=recipe)
    activations = sum(size for storage, size in saved.items() if storage not in own)
    del loss
    return activations


def try_step(
    model: nn.Module,
    *,
    task: Task,
    image_shape: tuple[int, int, int],
    recipe: Recipe,
    device: torch.device,
) -> None:
    """Take one training step on made-up images; the weights are spoilt afterwards.

    Args:
        model: with its weights; moved to `device`.
        task: gives the loss.
        image_shape: (channels, height, width).
        recipe: its batch, optimiser and precision.
        device: where the training would run.

    Raises:
        torch.OutOfMemoryError, RuntimeError: it does not fit, among other things that may go wrong.
        DeviceLockError: a measurement keeps the device.
    """
    with SharedDeviceLock(lock_names(device)):
        try:
            model.to(device).train()
            images = torch.zeros(recipe.images_at_once, *image_shape, device=device)
            optimizer = build_optimizer(model, recipe)
            with Recomputing(model, recipe.grad_checkpointing).inside():
                with autocast(recipe, device):
                    loss = task.loss(model, images, task.blank_targets(images), recipe=recipe)
                torch.autograd.backward(loss)
            optimizer.step()
            synchronize(device)
        finally:
            if device.type == "cuda":
                torch.cuda.empty_cache()


def training_seconds(
    model: nn.Module,
    spec: ModelSpec | Baseline,
    dataset: Dataset,
    *,
    task: Task,
    recipe: Recipe,
    device: torch.device,
) -> float:
    """Estimated seconds of one training with one seed, from some of its steps; the weights are
    spoilt afterwards.

    Args:
        model: the network of `spec`; moved to `device`.
        spec: the document or baseline, for checking the data against it.
        dataset: of its train and its validation split, a few batches are read.
        task: gives the loss.
        recipe: what a step consists of, and how many epochs there are.
        device: where the training would run.

    Raises:
        DataError: the data do not fit the document.
        DocumentError: the warm-up is longer than the training.
        DivergedError: a loss or gradient is infinite or not a number.
        DeviceLockError: a measurement keeps the device.
    """
    check_data(dataset, spec)
    check_schedule(recipe, images=len(dataset.train))
    lock = SharedDeviceLock(lock_names(device), synchronize=partial(synchronize, device))
    views = views_of(recipe, dataset.train, seed=0)
    # Processes that read have their first batches ready together: each must come to some more.
    batches = TIMED_STEPS * max(1, processes(dataset.train, views=views, device=device))
    images = min(batches * recipe.batch, len(dataset.train))
    steps = math.ceil(len(dataset.train) / recipe.batch)

    def now() -> float:
        synchronize(device)
        return time.perf_counter() - lock.seconds_waited

    def validate(batches: int) -> float:
        started = now()
        images = min(batches * recipe.batch, len(dataset.validation))
        evaluate(
            model,
            dataset.validation,
            task=task,
            device=device,
            batch=recipe.images_at_once,
            images=images,
            after_batch=lock.yield_to_measurement,
        )
        return (now() - started) / images

    trainer = Trainer(
        model.to(device),
        dataset,
        task=task,
        recipe=recipe,
        seed=0,
        device=device,
        after_step=lambda loss, images: lock.yield_to_measurement(),
        images=images,
    )
    with lock:
        with closing(trainer):
            trainer.train_epoch(1)  # warms up
            ends = [now()]
            while len(ends) == 1 or ends[-1] - ends[0] < TIMED_SECONDS:
                trainer.train_epoch(len(ends) + 1)
                ends.append(now())
        validate(1)
        image_seconds = validate(TIMED_STEPS)
    epoch_seconds = median(after - before for before, after in pairwise(ends))
    step_seconds = epoch_seconds / math.ceil(images / recipe.batch)
    return (step_seconds * steps + image_seconds * len(dataset.validation)) * recipe.epochs
