"""Random shifts and flips of small images."""

from __future__ import annotations

import torch
from torch import Tensor

from archdsl.training.recipe import Augmentation

SHIFT_FRACTION = 8
"""Images move by up to 1/8 of their side."""


def augment(images: Tensor, *, how: Augmentation, generator: torch.Generator) -> Tensor:
    """Move and mirror each image by its own draw.

    Args:
        images: (batch, channels, height, width), normalised.
        generator: on the CPU.

    Returns:
        The same shape; what moves in repeats the border.
    """
    if how == "none":
        return images
    batch, channels, height, width = images.shape
    rows = shifted(batch, height, generator=generator)
    columns = shifted(batch, width, generator=generator)
    if how == "flip_shift":
        flip = torch.rand(batch, 1, generator=generator) < 0.5
        columns = torch.where(flip, width - 1 - columns, columns)
    device = images.device
    return images[
        torch.arange(batch, device=device)[:, None, None, None],
        torch.arange(channels, device=device)[None, :, None, None],
        rows.to(device)[:, None, :, None],
        columns.to(device)[:, None, None, :],
    ]


def shifted(batch: int, side: int, *, generator: torch.Generator) -> Tensor:
    """The source position of every pixel along one side: (batch, side)."""
    reach = max(1, side // SHIFT_FRACTION)
    offset = torch.randint(-reach, reach + 1, (batch, 1), generator=generator)
    return (torch.arange(side) + offset).clamp_(0, side - 1)
