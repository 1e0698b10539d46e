"""Pictures that are listed one by one, each with its class and its part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
import numpy.typing as npt

from archdsl.errors import DataError
from archdsl.training.data.dataset import Dataset
from archdsl.training.data.files import Files, refuse_broken
from archdsl.training.data.layout import some
from archdsl.training.data.manifest import Manifest, Trait
from archdsl.training.data.picture_dataset import Wanted, picture_dataset
from archdsl.training.data.split import PARTS

PROBLEMS_SHOWN = 5


def labelled_dataset(
    manifest: Manifest,
    *,
    parts: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    class_names: Sequence[str],
    sources: Mapping[str, str],
    place: Path,
    where: Callable[[int], str] = lambda _: "",
    remarks: Iterable[str] = (),
    **wanted: Unpack[Wanted],
) -> Dataset:
    """Make a data set of pictures, all of which are meant to be some.

    Args:
        manifest: has them.
        parts: (rows,) places in `PARTS`, one of train among them.
        labels: (rows,) one for each.
        class_names: by label.
        sources: see `picture_dataset`.
        place: the file or folder that lists them.
        where: gives the words that a row's path follows where it is refused.
        remarks: see `picture_dataset`.
        wanted: see `Wanted`.

    Raises:
        DataError: rows that are no pictures, broken ones, parts without a picture of some class.
    """
    refuse_broken(manifest, lambda index: PARTS[parts[index]], broken=wanted["broken"])
    pictures = manifest.has(Trait.PICTURE)
    strange = np.setdiff1d(np.flatnonzero(~pictures), [*manifest.broken]).tolist()
    refuse_all(place, [f"{where(row)}{manifest.place(row)} is no picture" for row in strange])
    everything = Files(manifest=manifest, indices=np.arange(len(labels)), labels=labels)
    given = {
        part: everything.at(np.flatnonzero(pictures & (parts == number)))
        for number, part in enumerate(PARTS)
        if number in parts
    }
    absent = {
        part: np.setdiff1d(np.arange(len(class_names)), files.labels)
        for part, files in given.items()
    }
    refuse_all(
        place,
        [
            f"the {part} part has no picture of {some([class_names[label] for label in missing])}"
            for part, missing in absent.items()
            if len(missing)
        ],
    )
    return picture_dataset(
        given,
        {part: sources.get(part, "") for part in given},
        place=place,
        class_names=class_names,
        remarks=remarks,
        **wanted,
    )


def in_order(labels: Iterable[str]) -> list[str]:
    """By number where all are numbers, else by name."""
    found = set(labels)
    numbers = all(label.isascii() and label.isdigit() for label in found)
    return sorted(found, key=lambda label: (int(label), label) if numbers else (0, label))


def refuse_all(place: Path, problems: Sequence[str]) -> None:
    """
    Raises:
        DataError: there are problems; the first few.
    """
    if problems:
        more = len(problems) - PROBLEMS_SHOWN
        lines = [*problems[:PROBLEMS_SHOWN], *([f"and {more} more"] * (more > 0))]
        raise DataError("\n  ".join([f"{place} cannot be used as data:", *lines]))
