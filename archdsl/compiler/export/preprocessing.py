"""What an exported network is to be told of pictures: how they become its images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

PREPROCESSING = "preprocessing.json"


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """The network takes float32 images (batch, channels, height, width), normalised; this says how.

    Args:
        class_names: by label.
        channels: 1 (grey) or 3 (RGB).
        image_size: (height, width) that a picture is scaled to cover (bicubic), and cropped to at
            its centre.
        crop_pct: share of either side of a picture that is shown.
        depth: bits in use of 16-bit pixels.
        mean: of each channel, in levels of 0-255; is subtracted.
        std: of each channel, in levels of 0-255; is divided by.
    """

    class_names: Sequence[str]
    channels: int
    image_size: tuple[int, int]
    crop_pct: float
    depth: int
    mean: Sequence[float]
    std: Sequence[float]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return self.channels, *self.image_size

    def record(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)
