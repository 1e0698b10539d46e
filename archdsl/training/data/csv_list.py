"""A CSV file that lists pictures: the file, the label, and if it likes the part of each."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np

from archdsl.document.messages import counted, listed
from archdsl.errors import DataError
from archdsl.training.data.dataset import Dataset
from archdsl.training.data.labelled import in_order, labelled_dataset, refuse_all
from archdsl.training.data.layout import PART_OF
from archdsl.training.data.picture_dataset import Wanted
from archdsl.training.data.scan import manifest_of
from archdsl.training.data.split import PARTS

COLUMNS: Mapping[str, Sequence[str]] = {
    "file": ("file", "filename", "file_name", "image", "path"),
    "label": ("label", "class", "class_name"),
    "split": ("split", "part", "subset", "set"),
}
"""What a column is called, in any case."""
REQUIRED = ("file", "label")


def open_csv(path: Path, **wanted: Unpack[Wanted]) -> Dataset:
    """Open the pictures that a CSV file lists; their names start at its folder.

    Args:
        path: the file; its first line names the columns.
        wanted: see `Wanted`.

    Raises:
        DataError: no such file, columns or values that mean nothing, files that are no pictures.
    """
    rows = _rows(path)
    parts = _parts(path, rows)
    class_names = in_order(row["label"] for _, row in rows)
    label_of = {text: label for label, text in enumerate(class_names)}
    several = len(set(parts)) > 1
    return labelled_dataset(
        manifest_of(path, [row["file"] for _, row in rows]),
        parts=np.array([PARTS.index(part) for part in parts]),
        labels=np.array([label_of[row["label"]] for _, row in rows], dtype=np.int64),
        class_names=class_names,
        sources={part: f"split {part}" for part in PARTS if several},
        place=path,
        where=lambda row: f"line {rows[row][0]}: ",
        **wanted,
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
    refuse_all(path, problems)
    rows = [
        (number, {word: cells[place].strip() for word, place in meant.items()})
        for number, cells in lines
    ]
    refuse_all(
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
    refuse_all(
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
