"""A CSV file that lists pictures: the file, the label, and if it likes the part of each."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from archdsl.document.messages import counted, listed
from archdsl.errors import DataError
from archdsl.training.data.dataset import Dataset
from archdsl.training.data.files import Files, refuse_broken
from archdsl.training.data.layout import SPELLINGS
from archdsl.training.data.manifest import Trait
from archdsl.training.data.picture_dataset import picture_dataset
from archdsl.training.data.scan import manifest_of
from archdsl.training.recipe import Broken

COLUMNS: Mapping[str, Sequence[str]] = {
    "file": ("file", "filename", "file_name", "image", "path"),
    "label": ("label", "class", "class_name"),
    "split": ("split", "part", "subset", "set"),
}
"""What a column is called, in any case."""
REQUIRED = ("file", "label")
PART_OF = {word: part for part, words in SPELLINGS.items() for word in words}
PROBLEMS_SHOWN = 5


def open_csv(
    path: Path,
    *,
    name: str,
    split_seed: int,
    image_size: tuple[int, int] | None,
    broken: Broken = "stop",
    crop_pct: float = 1.0,
    uncut: bool = False,
) -> Dataset:
    """Open the pictures that a CSV file lists; their names start at its folder.

    Args:
        path: the file; its first line names the columns.
        name: the source as the user wrote it.
        split_seed: decides the parts that are not given.
        image_size: see `open_folder`.
        broken: see `open_folder`.
        crop_pct: see `Dataset`.
        uncut: see `open_data`.

    Raises:
        DataError: no such file, columns or values that mean nothing, files that are no pictures.
    """
    rows = _rows(path)
    parts = _parts(path, rows)
    class_names = _in_order({row["label"] for _, row in rows})
    label_of = {text: label for label, text in enumerate(class_names)}
    labels = np.array([label_of[row["label"]] for _, row in rows], dtype=np.int64)
    manifest = manifest_of(path, [row["file"] for _, row in rows])
    refuse_broken(manifest, parts.__getitem__, broken=broken)
    pictures = manifest.has(Trait.PICTURE)
    _refuse(
        path,
        [
            f"line {rows[index][0]}: {manifest.path(index)} is no picture"
            for index in np.flatnonzero(~pictures).tolist()
            if index not in manifest.broken
        ],
    )
    everything = Files(manifest=manifest, indices=np.arange(len(rows)), labels=labels)
    given = {
        part: everything.at(np.flatnonzero(pictures & np.array([each == part for each in parts])))
        for part in SPELLINGS
        if part in parts
    }
    _refuse(
        path,
        [
            f"the {part} part has no picture of {listed(absent)}"
            for part, files in given.items()
            if (
                absent := [
                    class_names[n]
                    for n in sorted({*range(len(class_names))} - {*files.labels.tolist()})
                ]
            )
        ],
    )
    return picture_dataset(
        given,
        {part: f"split {part}" if len(given) > 1 else "" for part in given},
        name=name,
        place=path,
        class_names=class_names,
        split_seed=split_seed,
        image_size=image_size,
        broken=broken,
        crop_pct=crop_pct,
        uncut=uncut,
    )


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Number and cells of each line, by what the columns mean."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; csv:FILE needs columns file and label")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [cell.strip().lower() for cell in next(reader, [])]
            meant = _columns(path, header)
            lines = [(reader.line_num, cells) for cells in reader if cells]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV file in UTF-8 ({error})") from error
    problems = [
        f"line {number}: {counted(len(cells), 'cell')}, but {counted(len(header), 'column')}"
        for number, cells in lines
        if len(cells) != len(header)
    ]
    _refuse(path, problems)
    rows = [
        (number, {word: cells[place].strip() for word, place in meant.items()})
        for number, cells in lines
    ]
    _refuse(
        path,
        [f"line {n}: no {word}" for n, row in rows for word in REQUIRED if not row[word]],
    )
    if len({row["label"] for _, row in rows}) < 2:
        raise DataError(f"{path} lists fewer than two labels; at least two classes are needed")
    return rows


def _columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    """What is meant by a column to its place."""
    found = {
        word: [place for place, cell in enumerate(header) if cell in names]
        for word, names in COLUMNS.items()
    }
    wrong = [
        f"no column {word} (or {listed(COLUMNS[word][1:])})" for word in REQUIRED if not found[word]
    ]
    wrong += [f"two columns for {word}" for word, places in found.items() if len(places) > 1]
    if wrong:
        raise DataError(f"{path}: {'; '.join(wrong)}; its first line is {','.join(header)!r}")
    return {word: places[0] for word, places in found.items() if places}


def _parts(path: Path, rows: Sequence[tuple[int, Mapping[str, str]]]) -> list[str]:
    """The part of each row; all are `train` where no column says."""
    if "split" not in rows[0][1]:
        return ["train"] * len(rows)
    _refuse(
        path,
        [
            f"line {number}: split {row['split']!r} is none of {listed(list(PART_OF))}"
            for number, row in rows
            if row["split"].lower() not in PART_OF
        ],
    )
    parts = [PART_OF[row["split"].lower()] for _, row in rows]
    if "train" not in parts:
        raise DataError(f"{path}: no row is of split train")
    return parts


def _in_order(labels: set[str]) -> list[str]:
    """By number where all are numbers, else by name."""
    numbers = all(label.isascii() and label.isdigit() for label in labels)
    return sorted(labels, key=lambda label: (int(label), label) if numbers else (0, label))


def _refuse(path: Path, problems: Sequence[str]) -> None:
    if problems:
        more = len(problems) - PROBLEMS_SHOWN
        lines = [*problems[:PROBLEMS_SHOWN], *([f"and {more} more"] * (more > 0))]
        raise DataError("\n  ".join([f"{path} cannot be used as data:", *lines]))
