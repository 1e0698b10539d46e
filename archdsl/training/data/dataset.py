"""What a data set is to the rest of the package, and whether it fits a document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from archdsl.errors import DataError
from archdsl.plan.baseline import Baseline
from archdsl.spec.model import ModelSpec

UNBALANCED = 1.5
"""A class of so many times its even share of the images is told of."""
IMAGE_LEVELS = 256
"""Images are stored as unsigned bytes."""


class Split(Protocol):
    """A fixed list of labelled images, of which batches are read by index."""

    def __len__(self) -> int: ...

    @property
    def labels(self) -> Tensor:
        """(count,) int64."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of its images."""

    @property
    def normalisation(self) -> Normalisation:
        """Of the batches."""

    @property
    def broken(self) -> dict[int, DataError] | None:
        """What was found to be broken, by index, and is passed over; None where it is not."""

    def decoders(self, *, whole: bool) -> int:
        """Cores that may decode its pictures; 0 where their pixels are in memory, or that takes no
        time.

        Args:
            whole: whether they are read by `picture`.
        """

    def to(self, device: torch.device) -> Split:
        """The same images, with batches that lie on `device`."""

    def pixels(self, indices: Tensor) -> Tensor:
        """Read the images at `indices`.

        Args:
            indices: (batch,) int64 on the CPU.

        Returns:
            (batch, channels, height, width) uint8.

        Raises:
            DataError: an image cannot be decoded.
        """

    def picture(self, index: int) -> Image.Image:
        """Read one as it was before all were brought to one size: upright, grey or RGB.

        Raises:
            DataError: it cannot be decoded.
        """

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Read the images at `indices`, see `pixels`, and their labels.

        Returns:
            images: (batch, channels, height, width) float32, normalised, and labels: (batch,)
            int64.

        Raises:
            DataError: an image cannot be decoded.
        """


class MixedSizesError(DataError):
    """Pictures of several sizes, and nothing that says which one to bring them to."""


class MisfitError(DataError):
    """Data of other images or classes than a document speaks of.

    Args:
        message: every disagreement.
        needed: words of the document and the values that the data ask for, as a setting has them.
    """

    def __init__(self, message: str, *, needed: Mapping[str, str]) -> None:
        super().__init__(message)
        self.needed = dict(needed)


@dataclass(frozen=True, kw_only=True)
class Normalisation:
    """Mean and standard deviation of each channel over the train split, in levels of 0-255."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def apply(self, images: Tensor) -> Tensor:
        """Bring images: (batch, channels, height, width) uint8 to mean 0 and deviation 1."""
        mean, std = (_column(levels, images.device) for levels in (self.mean, self.std))
        return images.to(torch.float32).sub_(mean).div_(std)

    def undo(self, images: Tensor) -> Tensor:
        """Normalised images: (batch, channels, height, width) -> their whole levels, float32."""
        return self.levels(images).round_()

    def levels(self, images: Tensor) -> Tensor:
        """The same of images that were changed since, whose levels are not whole."""
        mean, std = (_column(levels, images.device) for levels in (self.mean, self.std))
        return images * std + mean


@cache
def _column(levels: tuple[float, ...], device: torch.device) -> Tensor:
    """(1, channels, 1, 1); made anew for each batch, a GPU would be waited for."""
    with torch.inference_mode(False):
        return torch.tensor(levels, device=device).view(1, -1, 1, 1)


def normalisation_of(batches: Iterable[npt.NDArray[np.uint8]], *, source: str) -> Normalisation:
    """The normalisation of all images, exactly; a constant channel keeps deviation 1.

    Args:
        batches: (batch, channels, height, width) each.
        source: named in errors.

    Raises:
        DataError: every channel is constant: there is nothing to be seen.
    """
    counts = torch.stack(list(map(_level_counts, batches))).sum(dim=0)
    levels = torch.arange(IMAGE_LEVELS, dtype=torch.float64)
    share = counts / counts.sum(dim=1, keepdim=True, dtype=torch.float64)
    mean = share @ levels
    variance = (share * (levels - mean[:, None]) ** 2).sum(dim=1)
    if not (variance > 0).any():
        colour = ", ".join(f"{level:.0f}" for level in mean.tolist())
        raise DataError(
            f"{source}: the images to train on are of one colour (level {colour} of 255, every "
            "pixel of them); see how they were written"
        )
    std = torch.where(variance > 0, variance.sqrt(), 1.0)
    return Normalisation(mean=tuple(mean.tolist()), std=tuple(std.tolist()))


def _level_counts(images: npt.NDArray[np.uint8]) -> Tensor:
    """How often each level is in each channel: (channels, 256)."""
    channels = torch.from_numpy(images).transpose(0, 1).flatten(1)
    return torch.stack([torch.bincount(each, minlength=IMAGE_LEVELS) for each in channels])


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Images with one label each, in splits.

    Args:
        name: the source as the user wrote it.
        digest: 16 hexadecimal digits of every image, every label and the split.
        class_names: one name per class, in the order of the labels.
        channels: 1 (grey) or 3 (RGB).
        image_size: (height, width) in pixels.
        normalisation: what the batches were normalised with.
        train: to train on.
        validation: to choose by.
        test: for networks that were chosen; None where the source has none.
        sources: split to where it comes from, in words.
        remarks: what a person should know of how the data were read, a sentence each.
        picture_sizes: the smallest and the largest (height, width) before the images were brought
            to one size; None where they always had it.
        depth: bits in use of 16-bit pixels.
        crop_pct: share of either side of a picture that is shown to validate and to test.
    """

    name: str
    digest: str
    class_names: tuple[str, ...]
    channels: int
    image_size: tuple[int, int]
    normalisation: Normalisation
    train: Split
    validation: Split
    test: Split | None
    sources: Mapping[str, str]
    remarks: Sequence[str] = ()
    picture_sizes: tuple[tuple[int, int], tuple[int, int]] | None = None
    depth: int = 16
    crop_pct: float = 1.0

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    def splits(self) -> dict[str, Split]:
        """The splits that there are, by name."""
        found = {"train": self.train, "validation": self.validation}
        return found if self.test is None else {**found, "test": self.test}


def class_counts(split: Split) -> list[int]:
    """How many images there are of each class, up to the last that occurs."""
    counts: list[int] = torch.bincount(split.labels).tolist()
    return counts


def even_weights(dataset: Dataset) -> Tensor:
    """(num_classes,) what a train image of each class must count for all classes to count alike;
    the mean over all images is 1."""
    counts = torch.bincount(dataset.train.labels.cpu(), minlength=dataset.num_classes)
    return len(dataset.train) / (dataset.num_classes * counts.to(torch.float32).clamp(min=1))


def told_of(dataset: Dataset) -> list[str]:
    """What a person should know of a data set before anything is paid for, a sentence each."""
    found = list(dataset.remarks)
    counts = class_counts(dataset.train)
    largest = max(range(len(counts)), key=counts.__getitem__)
    share = counts[largest] / sum(counts)
    if share >= UNBALANCED / len(counts):
        found.append(
            f"{share:.0%} of the images to train on are of '{dataset.class_names[largest]}'; "
            "always answering that is as often right"
        )
    if dataset.test is None:
        found.append("no test part: networks are chosen by their validation, and then not tested")
    return found


def check_data(dataset: Dataset, spec: ModelSpec | Baseline) -> None:
    """Compare a data set with what a document expects.

    Raises:
        MisfitError: one error that names every disagreement and the word to change.
    """
    if isinstance(spec, Baseline):
        (channels, *size), classes = spec.image, spec.num_classes
    else:
        size, channels = list(spec.image.size), spec.image.channels
        classes = spec.output.num_classes
    rows = [
        ("image.size", size_word(dataset.image_size), size_word((size[0], size[1]))),
        ("image.channels", str(dataset.channels), str(channels)),
        ("output.num_classes", str(dataset.num_classes), str(classes)),
    ]
    wrong = [row for row in rows if row[1] != row[2]]
    if wrong:
        problems = [
            f"  {word}: the data has {found}, the document expects {expected}; "
            f"set {word} to {found} or use other data"
            for word, found, expected in wrong
        ]
        heading = f"data '{dataset.name}' does not fit the document:"
        needed = {word: found for word, found, _ in wrong}
        raise MisfitError("\n".join([heading, *problems]), needed=needed)


def size_word(size: tuple[int, int]) -> str:
    """(height, width) as a document writes it: `224` or `[224, 192]`."""
    height, width = size
    return str(height) if height == width else f"[{height}, {width}]"
