"""A first model for images of a size: something to train, and to search around."""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd, prod
from typing import Any

from archdsl.errors import DataError

SIZES = (224, 192, 160, 128, 96, 64, 48, 32)
"""Sides that pictures of mixed sizes are brought to."""
LARGEST = 256
"""Pixels; larger pictures are brought to one of `SIZES`, where they can be."""
FEWEST_TOKENS = 4
MOST_TOKENS = 1024
_STRIDES = {2: [2, 1, 1], 3: [3, 1, 1], 4: [2, 2, 1], 6: [3, 2, 1], 8: [2, 2, 2], 16: [4, 2, 2]}
"""Of a convolutional stem, by the side of its patches."""
_DEEP_STRIDES = {
    2: [1, 1, 2, 1, 1],
    3: [1, 1, 3, 1, 1],
    4: [1, 2, 1, 2, 1],
    6: [1, 2, 1, 3, 1],
    8: [2, 1, 2, 1, 2],
}
"""Of a stem of five convolutions."""
_PICTURES = range(24, 65)
"""Sides in pixels of small pictures: more than signs, and too few images for patches to learn."""


def are_small_pictures(image_size: tuple[int, int]) -> bool:
    """Whether what was measured on CIFAR-10 is the nearest that is known of images of a size."""
    inside = all(side in _PICTURES for side in image_size)
    return inside and any(gcd(*image_size) % side == 0 for side in _DEEP_STRIDES)


def fitting_size(smallest: tuple[int, int], largest: tuple[int, int]) -> tuple[int, int]:
    """What pictures from one (height, width) to another are brought to: square, and no larger than
    the short sides in the middle between them."""
    if smallest == largest and max(smallest) <= LARGEST:
        return smallest
    middle = (min(smallest) * min(largest)) ** 0.5
    side = next((size for size in SIZES if size <= middle), SIZES[-1])
    return side, side


def fitting_model(
    name: str, *, image_size: tuple[int, int], channels: int, num_classes: int
) -> dict[str, Any]:
    """The document of a ViTTM for images of a size, deeper and wider for larger ones.

    Memory tokens number near 64 for small images and near 196 for others, process tokens a quarter.
    Small pictures have few layers of wide tokens behind five convolutions, as `vittm-cifar`.

    Args:
        name: of the model.
        image_size: (height, width) in pixels.
        channels: 1 (grey) or 3 (RGB).
        num_classes: number of classes.

    Raises:
        DataError: images that no patches divide.
    """
    common, pixels = gcd(*image_size), image_size[0] * image_size[1]
    sides = [side for side in range(1, common + 1) if common % side == 0]
    tokens = {side: pixels // side**2 for side in sides}
    usable = {side: n for side, n in tokens.items() if FEWEST_TOKENS <= n <= MOST_TOKENS}
    if not usable:
        height, width = image_size
        raise DataError(
            f"images of {height} x {width} pixels: square patches that divide both sides leave "
            f"{', '.join(map(str, tokens.values()))} tokens, and {FEWEST_TOKENS} to {MOST_TOKENS} "
            "would do; crop or scale the images"
        )
    behind_convolutions = are_small_pictures(image_size)
    make = _behind_convolutions if behind_convolutions else _by_size
    return {
        "archdsl": 1,
        "name": name,
        "image": {
            "size": image_size[0] if len({*image_size}) == 1 else list(image_size),
            "channels": channels,
        },
        **make(usable, image_size),
        "output": {
            "num_classes": num_classes,
            "streams": ["memory", "process"],
            "predict": "mean" if behind_convolutions else "memory",
        },
    }


def _behind_convolutions(tokens: Mapping[int, int], image_size: tuple[int, int]) -> dict[str, Any]:
    """What came furthest on CIFAR-10 in minutes (`benchmarks/training.md`), for images of a size.

    Args:
        tokens: side of a patch to how many there are.
        image_size: (height, width) in pixels.
    """
    patch = _nearest({side: n for side, n in tokens.items() if side in _DEEP_STRIDES}, 64)
    rows, columns = (-(-side // patch // 2) for side in image_size)
    return {
        "depth": 2,
        "process": {
            "embed": {"type": "downsample", "grid": rows if rows == columns else [rows, columns]},
            "dim": 256,
            "block": {"type": "transformer", "head_dim": 32, "mlp_ratio": 2},
        },
        "memory": {
            "embed": {"type": "conv_stem", "strides": _DEEP_STRIDES[patch], "kernels": [3] * 5}
        },
        "exchange": _exchange(latent_ratio=0.25),
    }


def space_of_pictures(space: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """The neighbourhood of a model of `_behind_convolutions`, with more layers, as there are so
    few, and a stem of three convolutions, which costs a fraction.

    Args:
        space: the neighbourhood.
        document: of the model.
    """
    five = document["memory"]["embed"]
    three = {**_memory_embed(prod(five["strides"])), "kernels": [7, 3, 3]}
    stems = {"five": five, "three": three}
    return {
        **space,
        "depth": {"choose": [2, 1, 3, 4]},
        "memory": {**space["memory"], "embed": {"choose": stems}},
    }


def _by_size(tokens: Mapping[int, int], image_size: tuple[int, int]) -> dict[str, Any]:
    small = min(image_size) <= max(_SMALL)
    memory = _nearest(tokens, 64 if small else 196)
    process = _nearest(
        {side: n for side, n in tokens.items() if n <= tokens[memory]}, tokens[memory] / 4
    )
    words = next((each for most, each in _SMALL.items() if min(image_size) <= most), _LARGE)
    return {
        "depth": words["depth"],
        "process": {
            "embed": {"type": "patch", "patch_size": process},
            "dim": words["dim"],
            "block": {
                "type": "transformer",
                "head_dim": words["head_dim"],
                "mlp_ratio": words["mlp_ratio"],
            },
        },
        "memory": {"embed": _memory_embed(memory)},
        "exchange": _exchange(latent_ratio=0.5),
    }


def _exchange(*, latent_ratio: float) -> dict[str, Any]:
    head = {"type": "linear_attention", "latent_ratio": latent_ratio, "fusion": "add"}
    return {"norm": {"placement": "replace", "shared": True}, "read": head, "write": head}


_SMALL: Mapping[int, Mapping[str, int]] = {
    16: {"depth": 4, "dim": 64, "head_dim": 16, "mlp_ratio": 2},
    64: {"depth": 6, "dim": 128, "head_dim": 32, "mlp_ratio": 2},
}
"""The longest short side to the words of models for such images."""
_LARGE = {"depth": 12, "dim": 192, "head_dim": 64, "mlp_ratio": 4}


def _nearest(tokens: Mapping[int, int], wanted: float) -> int:
    """The side of patches that gives about so many tokens."""
    return min(tokens, key=lambda side: max(tokens[side] / wanted, wanted / tokens[side]))


def _memory_embed(patch: int) -> dict[str, Any]:
    """A convolutional stem, which learns from few images what patches do not, where it fits."""
    if patch in _STRIDES:
        return {"type": "conv_stem", "strides": _STRIDES[patch]}
    return {"type": "patch", "patch_size": patch}
