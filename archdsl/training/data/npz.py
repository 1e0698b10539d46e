"""Images and labels in one NumPy archive: `x_train, y_train, x_test, y_test[, x_val, y_val]`."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archdsl.errors import DataError
from archdsl.training.data.dataset import Dataset
from archdsl.training.data.in_memory import Labelled, memory_dataset
from archdsl.training.data.split import VALIDATION_SHARE, stratified_split

Array = npt.NDArray[Any]

REQUIRED = ("x_train", "y_train", "x_test", "y_test")
VALIDATION = ("x_val", "y_val")


def open_npz(path: Path, *, name: str, split_seed: int) -> Dataset:
    """Load an archive of uint8 images (count, height, width[, 3]) and labels (count,).

    Without `x_val` and `y_val` a tenth of every class of train becomes validation, by seed.

    Raises:
        DataError: one error with everything that is wrong with the archive.
    """
    arrays = read_arrays(path)
    problems = [*key_problems(arrays), *array_problems(arrays)] or [*agreement_problems(arrays)]
    if problems:
        raise DataError("\n  ".join([f"{path} cannot be used as data:", *problems]))
    num_classes = int(arrays["y_train"].max()) + 1
    class_names = [str(label) for label in range(num_classes)]
    train = labelled(arrays, "train")
    if "x_val" in arrays:
        validation = labelled(arrays, "val")
    else:
        kept, held_out = stratified_split(
            train.labels,
            shares=VALIDATION_SHARE,
            seed=split_seed,
            class_names=class_names,
            source=str(path),
        )
        train, validation = train.at(kept), train.at(held_out)
    return memory_dataset(
        name=name,
        class_names=class_names,
        train=train,
        validation=validation,
        test=labelled(arrays, "test"),
    )


def read_arrays(path: Path) -> dict[str, Array]:
    """Read the arrays that are looked for; pickled objects are never loaded."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; npz:FILE needs a NumPy archive (.npz)")
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise not_an_archive(path)
            wanted = [key for key in (*REQUIRED, *VALIDATION) if key in archive]
            return {key: read_array(archive, key, path) for key in wanted}
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise not_an_archive(path) from error


def read_array(archive: np.lib.npyio.NpzFile, key: str, path: Path) -> Array:
    try:
        array: Array = archive[key]
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path}: {key} cannot be read ({error}); it must be a plain array of numbers"
        ) from error
    return array


def not_an_archive(path: Path) -> DataError:
    return DataError(f"{path} is not a NumPy archive; write it with numpy.savez(FILE, x_train=…)")


def key_problems(arrays: dict[str, Array]) -> Iterator[str]:
    """Which arrays are missing."""
    for key in REQUIRED:
        if key not in arrays:
            yield f"{key} is missing; needed are {', '.join(REQUIRED)}"
    present = [key for key in VALIDATION if key in arrays]
    if len(present) == 1:
        yield f"{present[0]} stands alone; x_val and y_val come together or not at all"


def array_problems(arrays: dict[str, Array]) -> Iterator[str]:
    """What is wrong with single arrays: their type and shape."""
    for key, array in arrays.items():
        found = f"{key} is {array.dtype} of shape {array.shape}"
        if key.startswith("x_"):
            grey_or_rgb = array.ndim == 3 or (array.ndim == 4 and array.shape[3] == 3)
            if array.dtype != np.uint8 or not grey_or_rgb or array.size == 0:
                yield f"{found}; expected uint8 (count, height, width) or (count, height, width, 3)"
        elif array.dtype.kind not in "iu" or array.ndim != 1:
            yield f"{found}; expected whole numbers (count,)"


def agreement_problems(arrays: dict[str, Array]) -> Iterator[str]:
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
            yield f"x_{part} has {len(images)} images but y_{part} {len(labels)} labels"
        unknown = np.setdiff1d(labels, classes)
        if len(unknown):
            yield f"y_{part} has label {unknown[0]}, which y_train never has"
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
