"""Splits whose pictures stay in files until a batch asks for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from archdsl.errors import DataError
from archdsl.training.data.dataset import Normalisation, normalisation_of
from archdsl.training.data.pictures import decode

CACHE_BYTES = 2**28
"""A split whose decoded pictures fit in this is decoded once and kept."""

STATISTICS_IMAGES = 4096
"""Mean and deviation are taken over at most this many pictures, evenly spaced over train."""

STATISTICS_BATCH = 64

ERRORS_SHOWN = 5

T = TypeVar("T")

CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True, eq=False)
class Files:
    """Paths of pictures and their labels: (count,) int64."""

    paths: Sequence[Path]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.paths)

    def at(self, indices: npt.NDArray[np.int64]) -> Files:
        return Files(paths=[self.paths[index] for index in indices], labels=self.labels[indices])


@dataclass(frozen=True, kw_only=True, eq=False)
class FileSplit:
    """A split of picture files (see `archdsl.training.data.dataset.Split`).

    They are decoded by as many threads as torch might use where the split was made: a small network
    may be trained by fewer.
    """

    files: Files
    channels: int
    image_size: tuple[int, int]
    normalisation: Normalisation
    device: torch.device = CPU
    threads: int = field(default_factory=torch.get_num_threads)
    cache: dict[int, npt.NDArray[np.uint8]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.files)

    @property
    def cached(self) -> bool:
        height, width = self.image_size
        return len(self) * self.channels * height * width <= CACHE_BYTES

    def to(self, device: torch.device) -> FileSplit:
        return replace(self, device=device)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        wanted = indices.tolist()
        absent = [index for index in wanted if index not in self.cache]
        paths = [self.files.paths[index] for index in absent]
        pixels = decode_all(
            paths, channels=self.channels, image_size=self.image_size, threads=self.threads
        )
        decoded = dict(zip(absent, pixels, strict=True))
        if self.cached:
            self.cache.update(decoded)
        found = [decoded[i] if i in decoded else self.cache[i] for i in wanted]
        images = torch.from_numpy(np.stack(found)).to(self.device)
        labels = torch.from_numpy(self.files.labels[wanted]).to(self.device)
        return self.normalisation.apply(images), labels


def decode_all(
    paths: Sequence[Path],
    *,
    channels: int,
    image_size: tuple[int, int],
    threads: int | None = None,
) -> list[npt.NDArray[np.uint8]]:
    """Decode pictures side by side to (channels, height, width) each.

    Raises:
        DataError: files that cannot be decoded, all at once.
    """
    work = partial(decode, channels=channels, image_size=image_size)
    return for_all(paths, work, threads=threads)


def for_all(
    paths: Sequence[Path], work: Callable[[Path], T], *, threads: int | None = None
) -> list[T]:
    """The same work for many files.

    Args:
        paths: of the files.
        work: on one file.
        threads: files side by side; as many as torch may use threads here unless given.

    Raises:
        DataError: what is wrong with any of them, the first few by name.
    """

    def attempt(path: Path) -> T | DataError:
        try:
            return work(path)
        except DataError as error:
            return error

    # Pillow decodes outside the interpreter lock, so threads are enough.
    with ThreadPoolExecutor(threads or torch.get_num_threads()) as pool:
        results = list(pool.map(attempt, paths))
    errors = [str(each) for each in results if isinstance(each, DataError)]
    if errors:
        more = len(errors) - ERRORS_SHOWN
        raise DataError("\n".join([*errors[:ERRORS_SHOWN], *([f"and {more} more"] * (more > 0))]))
    return [each for each in results if not isinstance(each, DataError)]


def sampled_normalisation(
    files: Files, *, channels: int, image_size: tuple[int, int]
) -> Normalisation:
    """The normalisation of a bounded, evenly spaced sample of `files`."""
    sample = np.linspace(0, len(files) - 1, min(len(files), STATISTICS_IMAGES)).astype(int)
    paths = [files.paths[index] for index in sample]
    decoded = partial(decode_all, channels=channels, image_size=image_size)
    starts = range(0, len(paths), STATISTICS_BATCH)
    return normalisation_of(np.stack(decoded(paths[at : at + STATISTICS_BATCH])) for at in starts)
