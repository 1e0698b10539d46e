"""Data sets that lie in memory whole."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from archdsl.identity import digest
from archdsl.training.data.dataset import Dataset, Normalisation, normalisation_of

DEVICE_BYTES = 2**30
"""Splits up to this size are kept on the training device; larger ones send their batches."""

COUNT_BATCH = 4096
"""Images whose levels are counted at once: bounds the memory that counting takes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Labelled:
    """Raw images and labels of one split.

    Args:
        images: (count, channels, height, width) uint8.
        labels: (count,) int64.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    def at(self, indices: npt.NDArray[np.int64]) -> Labelled:
        return Labelled(images=self.images[indices], labels=self.labels[indices])

    def digest(self) -> str:
        """Hexadecimal SHA-256 of shape, pixels and labels."""
        content = hashlib.sha256(str(self.images.shape).encode())
        content.update(np.ascontiguousarray(self.images).data)
        content.update(self.labels.astype("<i8").data)
        return content.hexdigest()


@dataclass(frozen=True, kw_only=True, eq=False)
class MemorySplit:
    """A split held as one tensor (see `archdsl.training.data.dataset.Split`).

    Args:
        images: (count, channels, height, width) uint8.
        labels: (count,) int64, on the same device as the images.
        device: where batches are delivered.
    """

    images: Tensor
    labels: Tensor
    normalisation: Normalisation
    device: torch.device

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> MemorySplit:
        home = device if self.images.nbytes <= DEVICE_BYTES else self.images.device
        images, labels = self.images.to(home), self.labels.to(home)
        return replace(self, images=images, labels=labels, device=device)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        indices = indices.to(self.images.device)
        images = self.images[indices].to(self.device)
        return self.normalisation.apply(images), self.labels[indices].to(self.device)


def memory_dataset(
    *,
    name: str,
    class_names: Sequence[str],
    train: Labelled,
    validation: Labelled,
    test: Labelled,
) -> Dataset:
    """Make a data set of three splits in memory, normalised by the first."""
    _, channels, height, width = train.images.shape
    starts = range(0, len(train.images), COUNT_BATCH)
    normalisation = normalisation_of(train.images[at : at + COUNT_BATCH] for at in starts)

    parts = {"train": train, "validation": validation, "test": test}
    splits = {
        key: MemorySplit(
            images=torch.from_numpy(part.images).contiguous(),
            labels=torch.from_numpy(part.labels),
            normalisation=normalisation,
            device=torch.device("cpu"),
        )
        for key, part in parts.items()
    }
    return Dataset(
        name=name,
        digest=digest({key: part.digest() for key, part in parts.items()}),
        class_names=tuple(class_names),
        channels=channels,
        image_size=(height, width),
        normalisation=normalisation,
        **splits,
    )
