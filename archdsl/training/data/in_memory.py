"""Data sets that lie in memory whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

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

    def contents(self) -> npt.NDArray[np.uint64]:
        """(count,) 64 bits of each image's digest: equal for copies."""
        digests = [
            hashlib.sha256(np.ascontiguousarray(each).data).digest()[:8] for each in self.images
        ]
        return np.frombuffer(b"".join(digests), np.uint64)

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
    broken: None = None

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> MemorySplit:
        home = device if self.images.nbytes <= DEVICE_BYTES else self.images.device
        images, labels = self.images.to(home), self.labels.to(home)
        return replace(self, images=images, labels=labels, device=device)

    @property
    def shape(self) -> tuple[int, int, int]:
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def decoders(self, *, whole: bool) -> int:
        return 0

    def picture(self, index: int) -> Image.Image:
        found: Image.Image = to_pil_image(self.images[index])
        return found

    def pixels(self, indices: Tensor) -> Tensor:
        return self.images[indices.to(self.images.device)]

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        images = self.pixels(indices).to(self.device)
        labels = self.labels[indices.to(self.labels.device)].to(self.device)
        return self.normalisation.apply(images), labels


def memory_dataset(
    parts: Mapping[str, Labelled],
    *,
    name: str,
    class_names: Sequence[str],
    sources: Mapping[str, str],
    remarks: Sequence[str] = (),
) -> Dataset:
    """Make a data set in memory; see `Dataset`.

    Args:
        parts: `train`, by which all are normalised, `validation`, and `test` where there is one.
        name: the source as the user wrote it.
        class_names: by label.
        sources: part to where it comes from, in words.
        remarks: what a person should know.

    Raises:
        DataError: the images to train on are of one colour.
    """
    train = parts["train"].images
    _, channels, height, width = train.shape
    starts = range(0, len(train), COUNT_BATCH)
    batches = (train[at : at + COUNT_BATCH] for at in starts)
    normalisation = normalisation_of(batches, source=name)
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
        sources=sources,
        remarks=remarks,
        train=splits["train"],
        validation=splits["validation"],
        test=splits.get("test"),
    )
