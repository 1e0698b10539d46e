"""What a network is shown of train images."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from archdsl.training.data.dataset import Normalisation, Split
from archdsl.training.data.in_memory import MemorySplit
from archdsl.training.data.loading import batches
from archdsl.training.data.source import open_data
from archdsl.training.data.views import views_of
from archdsl.training.read import resolve_recipe

CPU = torch.device("cpu")
EVERYTHING: dict[str, Any] = {
    "crop": "random_resized",
    "flip": 0.5,
    "rand_augment": {"ops": 3, "magnitude": 20, "most": 30, "std": 2.0},
    "color_jitter": 0.4,
    "erasing": 0.5,
}


def split_of(images: Tensor) -> MemorySplit:
    channels = images.shape[1]
    return MemorySplit(
        images=images.to(torch.uint8),
        labels=torch.zeros(len(images), dtype=torch.int64),
        normalisation=Normalisation(mean=(0.0,) * channels, std=(1.0,) * channels),
        device=CPU,
    )


def grid(side: int, channels: int = 1) -> MemorySplit:
    """An image whose values say where each pixel came from."""
    return split_of(torch.arange(side * side).view(1, 1, side, side).repeat(1, channels, 1, 1))


def shown(split: Split, *, times: int = 1, epoch: int = 1, seed: int = 0, **words: Any) -> Tensor:
    """Views of all images of a split, each so many times."""
    order = torch.arange(len(split)).repeat_interleave(times)
    views = views_of(resolve_recipe(words), split, seed=seed)
    [(images, _)] = batches(split, [[order]], device=CPU, views=views, epoch=epoch)
    return images


@pytest.mark.parametrize(("side", "reach"), [(6, 1), (8, 1), (16, 2)])
def test_padded_crops_reach_every_offset_and_repeat_the_border(side: int, reach: int) -> None:
    moved = shown(grid(side, channels=3), times=400, crop="pad")
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


def test_about_half_of_the_images_are_flipped() -> None:
    moved = shown(grid(8), times=400, augment="flip_shift")
    assert 160 < (moved[:, 0, 4, 5] < moved[:, 0, 4, 3]).sum() < 240


@pytest.mark.parametrize("channels", [1, 3])
def test_views_follow_the_seed_the_epoch_and_the_image_alone(channels: int) -> None:
    generator = torch.Generator().manual_seed(0)
    split = split_of(torch.randint(256, (40, channels, 12, 12), generator=generator))
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    views = shown(split, **EVERYTHING)
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    assert before[:2] == after[:2]
    assert torch.equal(before[2], after[2]), "the model draws what it would have drawn"
    assert views.shape == (40, channels, 12, 12)
    one = views_of(resolve_recipe(EVERYTHING), split, seed=0)
    picked = [torch.tensor([17, 3]), torch.tensor([21])]
    again = [image for image, _ in batches(split, [picked], device=CPU, views=one, epoch=1)]
    assert torch.equal(torch.cat(again), views[[17, 3, 21]])
    assert not torch.equal(shown(split, epoch=2, **EVERYTHING), views)
    assert not torch.equal(shown(split, seed=1, **EVERYTHING), views)


def test_crops_of_random_size_are_of_the_picture_as_it_is(tmp_path: Path) -> None:
    """Brought to the images' size first, its stripes would be grey."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(5):
            pixels = np.zeros((80, 80), np.uint8)
            pixels[::2] = 255
            pixels[0, 0] = number
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    train = open_data(f"folder:{tmp_path}", image_size=(8, 8)).train
    whole, _ = train.batch(torch.arange(len(train)))
    views = shown(train, times=20, crop="random_resized", scale=[0.01, 0.01])
    assert whole.std() < 0.5 * views.std()


def test_erased_parts_are_noise_and_others_as_they_were() -> None:
    split = grid(16)
    views = shown(split, times=200, erasing=0.25)
    as_it_is = split.batch(torch.tensor([0]))[0]
    erased = (views != as_it_is).flatten(1).sum(dim=1)
    assert 30 < (erased > 0).sum() < 70
    assert erased.max() < 0.4 * 256
    noise = views[views != as_it_is]
    assert abs(noise.mean()) < 0.1 and abs(noise.std() - 1) < 0.1


def test_the_strongest_operations_leave_something_to_be_seen() -> None:
    for magnitude in (10, 15):
        words = {"ops": 1, "magnitude": magnitude, "most": magnitude, "std": 0}
        views = shown(grid(16, channels=3), times=300, rand_augment=words)
        assert (views.flatten(1).max(dim=1).values > 0).all()


def test_views_of_one_image_in_one_epoch_differ() -> None:
    views = shown(grid(16), times=8, crop="pad")
    assert len({view.numpy().tobytes() for view in views}) > 4
