"""A network scored on a split."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from archdsl.training.data.dataset import Split
from archdsl.training.tasks.task import Counts, Task


def evaluate(
    model: nn.Module,
    split: Split,
    *,
    task: Task,
    device: torch.device,
    batch: int,
    after_batch: Callable[[], None] = lambda: None,
) -> Counts:
    """Count what a task counts over all images of a split, in float32.

    Args:
        model: on `device`. Left in the mode, training or evaluation, it came in.
        task: counts.
        batch: images per forward pass.
        after_batch: called after each forward pass.

    Raises:
        DataError: an image cannot be decoded.
    """
    split = split.to(device)
    training = model.training
    model.eval()
    sums: dict[str, Tensor] = {}
    with torch.inference_mode():
        for indices in torch.split(torch.arange(len(split)), batch):
            for name, found in task.count(model, *split.batch(indices)).items():
                sums[name] = sums[name] + found if name in sums else found
            after_batch()
    model.train(training)
    return {name: found.tolist() for name, found in sums.items()}
