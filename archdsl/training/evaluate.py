"""Accuracy on a split, and how far to trust it."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

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


def wilson_interval(correct: int, count: int) -> tuple[float, float]:
    """The 95 % interval of an accuracy, in percent.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical
    inference", JASA 22, 1927.

    Args:
        correct: 0 to `count`.
        count: at least 1.
    """
    if not 0 <= correct <= count or count == 0:
        raise ValueError(f"{correct} of {count} is no accuracy")
    z = NormalDist().inv_cdf(0.975)
    share = correct / count
    scale = 1 + z**2 / count
    centre = (share + z**2 / (2 * count)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    low = 0.0 if correct == 0 else 100 * (centre - half)
    high = 100.0 if correct == count else 100 * (centre + half)
    return low, high
