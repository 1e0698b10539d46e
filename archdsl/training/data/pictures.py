"""Reading picture files: what they say of themselves, and their pixels at one size."""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from archdsl.errors import DataError
from archdsl.printable import one_line
from archdsl.training.data.place import Place

SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
UNSCALED = ("I", "F")
"""32-bit pixels, whose range the file does not say."""

GREY = ("1", "L", "LA", *SIXTEEN_BIT)
ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
BACKGROUND = (128, 128, 128, 255)
"""What shows through transparent pixels: on it, neither a black nor a white shape is lost."""
FULL_DEPTH = 16
"""Bits of a 16-bit pixel that are in use, unless a whole set uses fewer."""

NO_PICTURES = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})
"""Formats that Pillow recognises and cannot decode by itself."""
UNMISTAKABLE = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""Formats known by their first bytes, whatever a file is called."""

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

# Orientations of EXIF from here on lay the picture on its side.
_ON_ITS_SIDE = 5


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a picture file says of itself.

    Args:
        grey: whether one channel holds everything.
        size: (height, width) in pixels, as it is to be looked at.
        see_through: whether pixels are transparent, wholly or partly.
        turned: whether it says (in EXIF) that it must be turned or mirrored.
        frames: whether further frames or pages follow the first, which alone is read.
        greatest: the largest value of 16-bit pixels; 0 of other pictures.
    """

    grey: bool
    size: tuple[int, int]
    see_through: bool = False
    turned: bool = False
    frames: bool = False
    greatest: int = 0


@cache
def picture_suffixes() -> frozenset[str]:
    """Lower-case file suffixes, with the dot, of the formats that can be decoded."""
    extensions = Image.registered_extensions()
    return frozenset(s for s, kind in extensions.items() if kind in _formats())


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(kind for kind in Image.ID if kind not in NO_PICTURES)


def read_header(content: bytes, place: Place) -> Header | None:
    """Read what a file says of itself; None for a file that is no picture and not called one.

    Args:
        content: of the file.
        place: names it.

    Raises:
        DataError: called a picture and none, or one of 32-bit pixels.
    """
    named = place.suffix.lower() in picture_suffixes()
    try:
        with Image.open(BytesIO(content), formats=_formats() if named else UNMISTAKABLE) as picture:
            if picture.mode in UNSCALED:
                raise DataError(
                    f"{one_line(str(place))}: 32-bit pixels have no fixed range; convert it to 8 "
                    "or 16 bits"
                )
            orientation = _orientation(picture)
            height, width = picture.height, picture.width
            return Header(
                grey=picture.mode in GREY,
                size=(width, height) if orientation >= _ON_ITS_SIDE else (height, width),
                turned=orientation > 1,
                frames=getattr(picture, "is_animated", False),
                see_through=_has_alpha(picture) and _least_alpha(picture) < 255,
                greatest=int(np.asarray(picture).max()) if picture.mode in SIXTEEN_BIT else 0,
            )
    except BROKEN as error:
        if not named:
            return None
        raise undecodable(place, error) from error


def _orientation(picture: Image.Image) -> int:
    with suppress(*BROKEN):  # of a picture that says nonsense of itself, the pixels are as they are
        found = picture.getexif().get(ExifTags.Base.Orientation, 1)
        if isinstance(found, int) and 1 <= found <= 8:
            return found
    return 1


def _has_alpha(picture: Image.Image) -> bool:
    return picture.mode in ALPHA or "transparency" in picture.info


def _least_alpha(picture: Image.Image) -> int:
    try:
        least, _ = picture.convert("RGBA").getchannel("A").getextrema()
    except BROKEN:
        return 0  # cut off behind its header, which is told when it is decoded
    return int(least)  # type: ignore[arg-type]  # of one channel it is a number


def open_picture(place: Place, *, channels: int, depth: int = FULL_DEPTH) -> Image.Image:
    """Decode one picture, turned as it says, at its own size.

    Args:
        place: of the file.
        channels: 1 for grey, 3 for RGB; what is transparent shows a grey background.
        depth: bits in use of 16-bit pixels, 8 to 16; the upper 8 of them are kept.

    Raises:
        DataError: the file cannot be decoded.
    """
    try:
        with Image.open(BytesIO(place.read_bytes())) as picture:
            return _converted(picture, channels=channels, depth=depth)
    except BROKEN as error:
        raise undecodable(place, error) from error


def decode(
    place: Place,
    *,
    channels: int,
    image_size: tuple[int, int],
    depth: int = FULL_DEPTH,
    crop_pct: float = 1.0,
) -> npt.NDArray[np.uint8]:
    """Decode one picture, see `open_picture`, scaled to cover `image_size` (bicubic) and cropped at
    its centre.

    Args:
        place: of the file.
        channels: see `open_picture`.
        image_size: (height, width) in pixels.
        depth: see `open_picture`.
        crop_pct: share of either side of what would be seen that is left by a crop around it.

    Returns:
        (channels, height, width) uint8.

    Raises:
        DataError: the file cannot be decoded.
    """
    try:
        with Image.open(BytesIO(place.read_bytes())) as picture:
            return pixels_of(
                picture, channels=channels, image_size=image_size, depth=depth, crop_pct=crop_pct
            )
    except BROKEN as error:
        raise undecodable(place, error) from error


def pixels_of(
    picture: Image.Image,
    *,
    channels: int,
    image_size: tuple[int, int],
    depth: int,
    crop_pct: float = 1.0,
) -> npt.NDArray[np.uint8]:
    """The pixels of an open picture; see `decode`.

    Raises:
        OSError, ValueError, …: any of `BROKEN`.
    """
    height, width = image_size
    converted = _converted(picture, channels=channels, depth=depth)
    border = (1 - crop_pct) / 2
    fitted = ImageOps.fit(converted, (width, height), method=Image.Resampling.BICUBIC, bleed=border)
    pixels = np.asarray(fitted, dtype=np.uint8).reshape(height, width, channels)
    return pixels.transpose(2, 0, 1)


def _converted(picture: Image.Image, *, channels: int, depth: int) -> Image.Image:
    picture.load()  # asked for its orientation, a PNG is loaded too, and silent of its damage then
    upright = ImageOps.exif_transpose(picture) if _orientation(picture) > 1 else picture
    return _eight_bit(upright, depth).convert("L" if channels == 1 else "RGB")


def _eight_bit(picture: Image.Image, depth: int) -> Image.Image:
    """The picture on its background, in 8 bits a channel."""
    if picture.mode in SIXTEEN_BIT:
        # Pillow's own conversion clips 16 bits at 255 instead of scaling them.
        # What is beyond the range in use, which is the training part's, is as bright as can be.
        levels = np.minimum(np.asarray(picture) >> (depth - 8), 255)
        return Image.fromarray(levels.astype(np.uint8))
    if _has_alpha(picture):
        seen = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, BACKGROUND), seen)
    return picture


def undecodable(place: Place, error: Exception) -> DataError:
    if isinstance(error, OSError) and error.strerror:  # the system's, not a decoder's
        return DataError(
            f"{one_line(str(place))} cannot be read: {error.strerror.lower()}; see that it is "
            "there and may be read"
        )
    reason = "it holds no picture" if isinstance(error, UnidentifiedImageError) else error
    return DataError(f"{one_line(str(place))} cannot be decoded ({reason}); replace or remove it")
