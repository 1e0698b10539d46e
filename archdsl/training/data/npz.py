"""Images and labels in one NumPy archive: `x_train, y_train[, x_val, y_val][, x_test, y_test]`.

`class_names`, where it is there, names the classes in the order of the labels."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from archdsl.document.messages import counted
from archdsl.errors import DataError
from archdsl.free_memory import free_memory
from archdsl.training.data.dataset import Dataset
from archdsl.training.data.in_memory import Labelled, memory_dataset
from archdsl.training.data.split import copies, cut_missing

Array = npt.NDArray[Any]

PARTS = {"train": "train", "validation": "val", "test": "test"}
"""Part to the ending of the keys that hold it."""
ARRAYS = tuple(f"{letter}_{ending}" for ending in PARTS.values() for letter in "xy")
NAMES = "class_names"
REQUIRED = ("x_train", "y_train")
UNREADABLE = (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


def open_npz(path: Path, *, name: str, split_seed: int, uncut: bool = False) -> Dataset:
    """Load an archive of uint8 images (count, height, width[, 3]) and labels (count,).

    Without `x_val` and `y_val` a tenth of every class of train becomes validation, by seed; with
    neither these nor `x_test` and `y_test`, a fifth becomes validation and a fifth test.

    Raises:
        DataError: one error with everything that is wrong with the archive.
    """
    with opened_archive(path) as archive:
        headers = {key: read_header(archive, key, path) for key in ARRAYS if key in archive}
        problems = [*key_problems(headers), *array_problems(headers), *size_problems(headers)]
        arrays = {} if problems else {key: read_array(archive, key, path) for key in headers}
        named = class_names_of(archive, path)
    problems = problems or [*agreement_problems(arrays, named)]
    if problems:
        raise DataError("\n  ".join([f"{path} cannot be used as data:", *problems]))
    labels = range(int(arrays["y_train"].max()) + 1)
    class_names = named[: len(labels)] or list(map(str, labels))
    given = {
        part: labelled(arrays, ending) for part, ending in PARTS.items() if f"x_{ending}" in arrays
    }
    parts, sources = cut_missing(
        given,
        {part: f"x_{PARTS[part]}" for part in given},
        contents=given["train"].contents(),
        seed=split_seed,
        class_names=class_names,
        source=str(path),
        uncut=uncut,
    )
    return memory_dataset(
        parts,
        name=name,
        class_names=class_names,
        sources=sources,
        remarks=[*copies({part: (each.contents(), each.labels) for part, each in parts.items()})],
    )


@contextmanager
def opened_archive(path: Path) -> Iterator[np.lib.npyio.NpzFile]:
    """The archive, of which pickled objects are never loaded."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; npz:FILE needs a NumPy archive (.npz)")
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise not_an_archive(path)
            yield archive
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise not_an_archive(path) from error


@dataclass(frozen=True, kw_only=True)
class Header:
    """What an archive says of one array before its values: their type, and how many there are."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize


def read_header(archive: np.lib.npyio.NpzFile, key: str, path: Path) -> Header:
    """Read what stands before the values, which are not unpacked."""
    try:
        with cast(zipfile.ZipFile, archive.zip).open(f"{key}.npy") as member:
            version = np.lib.format.read_magic(member)
            one = version == (1, 0)
            read = (
                np.lib.format.read_array_header_1_0 if one else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read(member)
    except UNREADABLE as error:
        raise unreadable(path, key, error) from error
    if dtype.hasobject:
        raise unreadable(path, key, "it holds Python objects")
    return Header(dtype=dtype, shape=shape)


def read_array(archive: np.lib.npyio.NpzFile, key: str, path: Path) -> Array:
    try:
        array: Array = archive[key]
    except UNREADABLE as error:
        raise unreadable(path, key, error) from error
    return array


def unreadable(path: Path, key: str, reason: object) -> DataError:
    return DataError(
        f"{path}: {key} cannot be read ({reason}); it must be a plain array of numbers"
    )


def not_an_archive(path: Path) -> DataError:
    return DataError(f"{path} is not a NumPy archive; write it with numpy.savez(FILE, x_train=…)")


def key_problems(arrays: Collection[str]) -> Iterator[str]:
    """Which arrays are missing."""
    for key in REQUIRED:
        if key not in arrays:
            yield f"{key} is missing; needed are {', '.join(REQUIRED)}"
    for ending in ("val", "test"):
        pair = (f"x_{ending}", f"y_{ending}")
        present = [key for key in pair if key in arrays]
        if len(present) == 1:
            yield f"{present[0]} stands alone; {' and '.join(pair)} come together or not at all"


def array_problems(headers: Mapping[str, Header]) -> Iterator[str]:
    """What is wrong with single arrays: their type and shape."""
    for key, array in headers.items():
        found = f"{key} is {array.dtype} of shape {array.shape}"
        if key.startswith("x_"):
            grey_or_rgb = len(array.shape) == 3 or (len(array.shape) == 4 and array.shape[3] == 3)
            if array.dtype != np.uint8 or not grey_or_rgb or 0 in array.shape:
                yield f"{found}; expected uint8 (count, height, width) or (count, height, width, 3)"
        elif array.dtype.kind not in "iu" or len(array.shape) != 1:
            yield f"{found}; expected whole numbers (count,)"


def size_problems(headers: Mapping[str, Header]) -> Iterator[str]:
    """Whether the arrays fit into memory, where they are held twice while they are split."""
    needed, free = 2 * sum(each.nbytes for each in headers.values()), free_memory()
    if needed > free:
        largest = max(headers, key=lambda key: headers[key].nbytes)
        yield (
            f"it unpacks to {needed / 2e9:.1f} GB, most of it {largest} of shape "
            f"{headers[largest].shape}; twice that is needed, and {free / 1e9:.1f} GB of memory "
            "are free: write fewer or smaller images, or a folder of them"
        )


def class_names_of(archive: np.lib.npyio.NpzFile, path: Path) -> list[str]:
    """The names of the classes, none where the archive has no such array of texts."""
    if NAMES not in archive or read_header(archive, NAMES, path).dtype.kind != "U":
        return []
    return [str(name) for name in read_array(archive, NAMES, path).ravel()]


def agreement_problems(arrays: dict[str, Array], named: Sequence[str]) -> Iterator[str]:
    """What is wrong between arrays that are right by themselves."""
    image_shape = arrays["x_train"].shape[1:]
    classes = np.unique(arrays["y_train"])
    for part in ("train", "val", "test"):
        if f"x_{part}" not in arrays:
            continue
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if images.shape[1:] != image_shape:
            yield f"x_{part} holds images of shape {images.shape[1:]}, x_train of {image_shape}"
        if len(images) != len(labels):
            found = counted(len(images), "image")
            yield f"x_{part} has {found} but y_{part} {counted(len(labels), 'label')}"
        unknown = np.setdiff1d(labels, classes)
        if len(unknown):
            yield f"y_{part} has label {unknown[0]}, which y_train never has"
    if named and len(classes) and len(named) <= classes[-1]:
        yield f"{NAMES} names {len(named)} classes, y_train has label {classes[-1]}"
    if len(classes) == 1:
        yield "y_train has only one class; at least two are needed"
    if len(classes) and not np.array_equal(classes, np.arange(len(classes))):
        yield (
            f"y_train has labels from {classes[0]} to {classes[-1]} in {len(classes)} classes; "
            "labels must count from 0 without gaps"
        )


def labelled(arrays: dict[str, Array], part: str) -> Labelled:
    images = arrays[f"x_{part}"]
    # (count, height, width[, 3]) to (count, channels, height, width)
    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    return Labelled(
        images=np.ascontiguousarray(images), labels=arrays[f"y_{part}"].astype(np.int64)
    )
