"""Augmentation: every offset, half of the images flipped, the same draws for the same generator."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from archdsl.training.augment import augment
from archdsl.training.recipe import Augmentation


def draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grid(batch: int, side: int) -> Tensor:
    """Images whose values say where each pixel came from."""
    return torch.arange(float(side * side)).view(1, 1, side, side).repeat(batch, 2, 1, 1)


@pytest.mark.parametrize(("side", "reach"), [(6, 1), (8, 1), (16, 2)])
def test_shifts_reach_every_offset_and_repeat_the_border(side: int, reach: int) -> None:
    moved = augment(grid(400, side), how="shift", generator=draws(0))
    found = set()
    for image in moved[:, 0]:
        source = image.long()
        down, right = divmod(int(source[side // 2, side // 2]), side)
        down, right = down - side // 2, right - side // 2
        found.add((down, right))
        rows = (torch.arange(side) + down).clamp(0, side - 1)
        columns = (torch.arange(side) + right).clamp(0, side - 1)
        assert torch.equal(source, rows[:, None] * side + columns)
    assert len(found) == (2 * reach + 1) ** 2
    assert torch.equal(moved[:, 0], moved[:, 1])


def test_about_half_of_the_images_are_flipped() -> None:
    moved = augment(grid(400, 8), how="flip_shift", generator=draws(0))
    flipped = (moved[:, 0, 4, 5] < moved[:, 0, 4, 3]).sum()
    assert 160 < flipped < 240


def test_augmentation_follows_its_generator() -> None:
    images = grid(50, 8)
    first, again, other = (
        augment(images, how="flip_shift", generator=draws(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    unchanged: Augmentation = "none"
    assert torch.equal(augment(images, how=unchanged, generator=draws(1)), images)
