"""Splits whose pictures stay in files until a batch asks for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import get_worker_info

from archdsl.errors import DataError
from archdsl.training.data.dataset import Normalisation, normalisation_of
from archdsl.training.data.manifest import Manifest
from archdsl.training.data.pictures import decode, open_picture
from archdsl.training.data.place import Place
from archdsl.training.data.side_by_side import attempt_all, for_all, raise_all
from archdsl.training.recipe import Broken

CACHE_BYTES = 2**28
"""A split whose decoded pictures fit in this is decoded once and kept."""

FEWEST = 256
"""Pictures that take longer to decode than processes take to start for them."""

STATISTICS_IMAGES = 4096
"""Mean and deviation are taken over at most this many pictures, evenly spaced over train."""

STATISTICS_BATCH = 64

CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True, eq=False)
class Files:
    """Pictures of a manifest with their labels.

    Args:
        manifest: says where they lie.
        indices: (count,) which of its files.
        labels: (count,) int64.
    """

    manifest: Manifest
    indices: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

    def place(self, index: int) -> Place:
        return self.manifest.place(int(self.indices[index]))

    def at(self, chosen: npt.NDArray[np.int64]) -> Files:
        return replace(self, indices=self.indices[chosen], labels=self.labels[chosen])


@dataclass(frozen=True, kw_only=True, eq=False)
class FileSplit:
    """A split of picture files (see `archdsl.training.data.dataset.Split`).

    They are decoded by as many threads as torch might use where the split was made: a small network
    may be trained by fewer.

    Args:
        files: the pictures.
        channels: 1 or 3.
        image_size: (height, width) that they are brought to.
        depth: bits in use of 16-bit pixels.
        normalisation: of the batches.
        crop_pct: see `decode`.
        device: where batches are delivered.
        threads: that decode.
        cache: what is decoded, by index.
        broken: what was found to be broken, by index, and is passed over; None where it is not.
    """

    files: Files
    channels: int
    image_size: tuple[int, int]
    depth: int
    normalisation: Normalisation
    crop_pct: float = 1.0
    device: torch.device = CPU
    threads: int = field(default_factory=torch.get_num_threads)
    cache: dict[int, npt.NDArray[np.uint8]] = field(default_factory=dict, repr=False)
    broken: dict[int, DataError] | None = None

    def __len__(self) -> int:
        return len(self.files)

    @property
    def cached(self) -> bool:
        height, width = self.image_size
        return len(self) * self.channels * height * width <= CACHE_BYTES

    @property
    def labels(self) -> Tensor:
        return torch.from_numpy(self.files.labels)

    def decoders(self, *, whole: bool) -> int:
        kept = self.cached and not whole
        return 0 if kept or len(self) < FEWEST else self.threads

    def to(self, device: torch.device) -> FileSplit:
        return replace(self, device=device)

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.channels, *self.image_size)

    def picture(self, index: int) -> Image.Image:
        return open_picture(self.files.place(index), channels=self.channels, depth=self.depth)

    def pixels(self, indices: Tensor) -> Tensor:
        wanted = indices.tolist()
        absent = [index for index in wanted if index not in self.cache]
        places = [self.files.place(index) for index in absent]
        decode_one = partial(
            decode,
            channels=self.channels,
            image_size=self.image_size,
            depth=self.depth,
            crop_pct=self.crop_pct,
        )
        # A process that reads ahead is one of several.
        threads = self.threads if get_worker_info() is None else 1
        pixels = for_all(places, decode_one, threads=threads)
        decoded = dict(zip(absent, pixels, strict=True))
        if self.cached:
            self.cache.update(decoded)
        found = [decoded[i] if i in decoded else self.cache[i] for i in wanted]
        return torch.from_numpy(np.stack(found))

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        images = self.pixels(indices).to(self.device)
        return self.normalisation.apply(images), self.labels[indices].to(self.device)


def refuse_broken(manifest: Manifest, part_of: Callable[[int], str], *, broken: Broken) -> None:
    """Refuse files that are called pictures and cannot be read.

    Args:
        manifest: has them.
        part_of: gives the part of a file.
        broken: whether those that are not of a part to validate or to test with are passed over.

    Raises:
        DataError: the first few by name.
    """
    found = manifest.broken.items()
    tried = ("validation", "test")
    raise_all([error for i, error in found if broken == "stop" or part_of(i) in tried])


def sampled_normalisation(
    files: Files,
    decode_one: Callable[[Place], npt.NDArray[np.uint8]],
    *,
    broken: Broken = "stop",
) -> Normalisation:
    """The normalisation of a bounded, evenly spaced sample of `files`.

    Raises:
        DataError: pictures that cannot be decoded, or of one colour.
    """
    sample = np.linspace(0, len(files) - 1, min(len(files), STATISTICS_IMAGES)).astype(int)
    places = [files.place(index) for index in sample.tolist()]
    starts = range(0, len(places), STATISTICS_BATCH)

    def read(start: int) -> npt.NDArray[np.uint8]:
        found = attempt_all(places[start : start + STATISTICS_BATCH], decode_one)
        errors = [each for each in found if isinstance(each, DataError)]
        if broken == "stop" or len(errors) == len(found):
            raise_all(errors)
        return np.stack([each for each in found if not isinstance(each, DataError)])

    return normalisation_of(map(read, starts), source=str(files.manifest.root))
