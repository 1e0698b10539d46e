"""Reading picture files: their headers, and their pixels at one size."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from archdsl.errors import DataError
from archdsl.printable import one_line

SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
UNSCALED = ("I", "F")
"""32-bit pixels, whose range the file does not say."""

GREY = ("1", "L", "LA", *SIXTEEN_BIT)

BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    EOFError,
    IndexError,
    OverflowError,
    struct.error,
    Image.DecompressionBombError,
)
"""What Pillow's readers raise on broken files."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a picture file says of itself.

    Args:
        grey: whether one channel holds everything.
        size: (height, width) in pixels.
    """

    grey: bool
    size: tuple[int, int]


def picture_suffixes() -> frozenset[str]:
    """Lower-case file suffixes, with the dot, of the formats Pillow can open."""
    extensions = Image.registered_extensions()
    return frozenset(suffix for suffix, kind in extensions.items() if kind in Image.OPEN)


def read_header(path: Path) -> Header:
    """Read what stands before the pixels.

    Raises:
        DataError: not a picture, or one of 32-bit pixels.
    """
    try:
        with Image.open(path) as picture:
            mode, (width, height) = picture.mode, picture.size
    except BROKEN as error:
        raise undecodable(path, error) from error
    if mode in UNSCALED:
        raise DataError(
            f"{one_line(str(path))}: 32-bit pixels have no fixed range; convert it to 8 bits"
        )
    return Header(grey=mode in GREY, size=(height, width))


def decode(path: Path, *, channels: int, image_size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Decode one picture, scaled to cover `image_size` (bicubic) and cropped at its centre.

    Args:
        channels: 1 for grey, 3 for RGB; transparency is dropped.
        image_size: (height, width) in pixels.

    Returns:
        (channels, height, width) uint8.

    Raises:
        DataError: the file cannot be decoded.
    """
    height, width = image_size
    try:
        with Image.open(path) as picture:
            converted = eight_bit(picture).convert("L" if channels == 1 else "RGB")
        fitted = ImageOps.fit(converted, (width, height), method=Image.Resampling.BICUBIC)
    except BROKEN as error:
        raise undecodable(path, error) from error
    pixels = np.asarray(fitted, dtype=np.uint8).reshape(height, width, channels)
    return pixels.transpose(2, 0, 1)


def eight_bit(picture: Image.Image) -> Image.Image:
    if picture.mode in SIXTEEN_BIT:
        # Pillow's own conversion clips 16 bits at 255 instead of scaling them.
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if "transparency" in picture.info:
        # Pillow warns when a palette with transparency becomes RGB directly.
        return picture.convert("RGBA")
    return picture


def undecodable(path: Path, error: Exception) -> DataError:
    found = one_line(f"{path} cannot be decoded ({error})")
    return DataError(f"{found}; replace or remove it")
