"""What one training will take, from a few timed steps that change no weight."""

from __future__ import annotations

import math
import time

import torch
from torch import nn

from archdsl.spec.model import ModelSpec
from archdsl.training.data.dataset import Dataset, check_data
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.task import Task

TIMED_STEPS = 3


def training_seconds(
    model: nn.Module,
    spec: ModelSpec,
    dataset: Dataset,
    *,
    task: Task,
    recipe: Recipe,
    device: torch.device,
) -> float:
    """Estimated seconds of one training with one seed; the model's weights stay as they are.

    Args:
        model: the network of `spec`, as `archdsl.compile` makes it.
        spec: the document, for checking the data against it.
        dataset: its train split is read, a batch at a time.
        task: gives the loss.
        recipe: epochs and batch.
        device: where the training would run.

    Raises:
        DataError: the data do not fit the document.
    """
    check_data(
        dataset,
        image_size=spec.image.size,
        channels=spec.image.channels,
        num_classes=spec.output.num_classes,
    )
    model.to(device).train()
    train = dataset.train.to(device)
    images, targets = train.batch(torch.arange(min(recipe.batch, len(train))))
    seconds = []
    for _ in range(TIMED_STEPS + 1):  # the first warms up
        started = time.perf_counter()
        torch.autograd.backward(task.loss(model, images, targets, recipe=recipe))
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - started)
    model.zero_grad()
    steps = math.ceil(len(train) / recipe.batch)
    # A validation image costs a forward pass, about a third of a training step's.
    validation = len(dataset.validation) / recipe.batch / 3
    return sorted(seconds[1:])[TIMED_STEPS // 2] * (steps + validation) * recipe.epochs
