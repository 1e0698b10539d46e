"""Accuracy on a split."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from archdsl.training.data.dataset import Split


def evaluate(
    model: nn.Module,
    split: Split,
    *,
    device: torch.device,
    batch: int,
    after_batch: Callable[[], None] = lambda: None,
) -> tuple[int, int]:
    """Count the images whose largest logit is their label's, in float32.

    Args:
        model: on `device`; images (batch, channels, height, width) → logits
            (batch, num_classes). Left in the mode, training or evaluation, it came in.
        batch: images per forward pass.
        after_batch: called after each forward pass.

    Returns:
        Correct images and all images. Logits that are not finite are never correct.
    """
    split = split.to(device)
    training = model.training
    model.eval()
    correct = torch.zeros((), dtype=torch.int64, device=device)
    with torch.inference_mode():
        for indices in torch.split(torch.arange(len(split)), batch):
            images, labels = split.batch(indices)
            logits = model(images)
            hits = (logits.argmax(dim=1) == labels) & logits.isfinite().all(dim=1)
            correct += hits.sum()
            after_batch()
    model.train(training)
    return int(correct), len(split)
