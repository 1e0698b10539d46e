"""Mixup and cutmix: images and targets of a batch blended with those of its other end."""

from __future__ import annotations

from typing import Any

import numpy as np
from timm.data import mixup as _timm
from torch import Tensor

from archdsl.training.draws import undisturbed
from archdsl.training.recipe import Recipe

timm: Any = _timm  # has no types


def mix(
    images: Tensor, labels: Tensor, *, recipe: Recipe, num_classes: int, seed: int
) -> tuple[Tensor, Tensor]:
    """timm's arithmetic, one draw for the whole batch, of which any number of images may be.

    Args:
        images: (batch, channels, height, width); changed in place.
        labels: (batch,) int64.
        seed: of the draw.

    Returns:
        The images, and their targets (batch, num_classes) with smoothed labels.
    """
    mixup = timm.Mixup(mixup_alpha=recipe.mixup, cutmix_alpha=recipe.cutmix, prob=recipe.mix_prob)
    with undisturbed():  # it draws from the generator of the whole process
        np.random.seed(seed % 2**32)
        # Its own call refuses odd batches; in one, the image in the middle is its own partner.
        share = mixup._mix_batch(images)
    return images, timm.mixup_target(labels, num_classes, share, recipe.label_smoothing)
