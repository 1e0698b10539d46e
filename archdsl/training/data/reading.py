"""How pictures become what a network is given: what a trained one must be told of again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

from archdsl.training.data.dataset import Dataset, Normalisation


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the pictures of a data set were read.

    Args:
        class_names: by label.
        channels: 1 (grey) or 3 (RGB).
        image_size: (height, width) that a picture is scaled to cover, and cropped to at its centre.
        depth: bits in use of 16-bit pixels.
        crop_pct: share of either side of a picture that is shown.
        normalisation: of the levels.
    """

    class_names: tuple[str, ...]
    channels: int
    image_size: tuple[int, int]
    depth: int
    normalisation: Normalisation
    crop_pct: float = 1.0

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """That of a data set."""
        return cls(
            class_names=dataset.class_names,
            channels=dataset.channels,
            image_size=dataset.image_size,
            depth=dataset.depth,
            normalisation=dataset.normalisation,
            crop_pct=dataset.crop_pct,
        )

    @classmethod
    def read(cls, record: dict[str, Any]) -> Self:
        """That of a record.

        Raises:
            KeyError, TypeError: it is none.
        """
        height, width = record["image_size"]
        return cls(
            class_names=tuple(record["class_names"]),
            channels=record["channels"],
            image_size=(height, width),
            depth=record["depth"],
            crop_pct=record.get("crop_pct", 1.0),
            normalisation=Normalisation(
                mean=tuple(record["normalisation"]["mean"]),
                std=tuple(record["normalisation"]["std"]),
            ),
        )

    def record(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)
