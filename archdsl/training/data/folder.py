"""One folder per class, whole or already cut into train, val and test."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from archdsl.document.messages import listed
from archdsl.errors import DataError
from archdsl.identity import digest
from archdsl.training.data.dataset import Dataset, size_word
from archdsl.training.data.files import (
    ERRORS_SHOWN,
    Files,
    FileSplit,
    for_all,
    sampled_normalisation,
)
from archdsl.training.data.pictures import Header, picture_suffixes, read_header
from archdsl.training.data.split import VALIDATION_SHARE, WHOLE_SHARES, stratified_split


def open_folder(
    root: Path, *, name: str, split_seed: int, image_size: tuple[int, int] | None
) -> Dataset:
    """Open a folder of pictures; they are decoded when a batch asks for them.

    Every file is read once here: its bytes for the digest, its header for the kind and size.
    The data are grey when every picture is, else RGB.

    Args:
        image_size: (height, width) that pictures are brought to; None takes the size they
            all have.

    Raises:
        DataError: no such folder, no usable classes, broken pictures, or sizes that differ
            while `image_size` is None.
    """
    class_names, parts = find_parts(root, split_seed=split_seed)
    inspected = inspect([path for part in parts.values() for path in part.paths])
    headers = [header for header, _ in inspected.values()]
    channels = 1 if all(header.grey for header in headers) else 3
    size = image_size or common_size(root, headers)
    normalisation = sampled_normalisation(parts["train"], channels=channels, image_size=size)
    splits = {
        key: FileSplit(files=part, channels=channels, image_size=size, normalisation=normalisation)
        for key, part in parts.items()
    }
    contents = {
        key: [
            [path.relative_to(root).as_posix(), int(label), inspected[path][1]]
            for path, label in zip(part.paths, part.labels, strict=True)
        ]
        for key, part in parts.items()
    }
    return Dataset(
        name=name,
        digest=digest(contents),
        class_names=class_names,
        channels=channels,
        image_size=size,
        normalisation=normalisation,
        **splits,
    )


def find_parts(root: Path, *, split_seed: int) -> tuple[tuple[str, ...], dict[str, Files]]:
    """The classes' names in the order of the labels, and the pictures of each split; the splits
    that are not there are cut by seed."""
    if not root.is_dir():
        raise DataError(f"{root}: there is no such folder; folder:DIR needs one folder per class")
    cut = (root / "train").is_dir()
    names, everything = list_classes(root / "train" if cut else root)
    shares: Sequence[float] = () if cut else WHOLE_SHARES
    given: list[Files] = []
    if cut:
        folders = [root / part for part in ("val", "test") if (root / part).is_dir()]
        if not folders:
            raise DataError(f"{root} has train/ but no val/; add it, or remove the level of train/")
        given = [list_part(folder, names) for folder in folders]
        shares = VALIDATION_SHARE if len(given) == 1 else ()
    indices = stratified_split(
        everything.labels, shares=shares, seed=split_seed, class_names=names, source=str(root)
    )
    parts = [*(everything.at(part) for part in indices), *given]
    return names, dict(zip(("train", "validation", "test"), parts, strict=True))


def list_classes(folder: Path) -> tuple[tuple[str, ...], Files]:
    """The class names of a folder, sorted, and its pictures in the order of their paths."""
    suffixes = picture_suffixes()
    names = tuple(
        sorted(
            entry.name
            for entry in folder.iterdir()
            if entry.is_dir() and not entry.name.startswith(".")
        )
    )
    if len(names) < 2:
        found = f"one class folder, {names[0]}" if names else "no class folders"
        raise DataError(
            f"{folder} has {found}; at least two are needed, each holding the pictures of one class"
        )
    by_class = [
        sorted(
            path
            for path in (folder / name).rglob("*")
            if path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()
        )
        for name in names
    ]
    empty = [folder / name for name, paths in zip(names, by_class, strict=True) if not paths]
    if empty:
        raise DataError(f"no pictures in {_some(empty)}; add some or remove the class folders")
    labels = np.repeat(np.arange(len(names), dtype=np.int64), list(map(len, by_class)))
    return names, Files(paths=[path for paths in by_class for path in paths], labels=labels)


def list_part(folder: Path, class_names: tuple[str, ...]) -> Files:
    """The pictures of a val/ or test/ folder, whose classes must be those of train/."""
    names, files = list_classes(folder)
    if names != class_names:
        strange = sorted(set(names) ^ set(class_names))
        raise DataError(
            f"{folder} and {folder.parent / 'train'} do not have the same classes: "
            f"only one of them has {_some(strange)}"
        )
    return files


def _some(names: Sequence[object]) -> str:
    return listed(names, most=ERRORS_SHOWN, rest=" and {} more")


def inspect(paths: Sequence[Path]) -> dict[Path, tuple[Header, str]]:
    """Read every file once: its header and the SHA-256 of its bytes; all broken ones at once."""

    def inspect_one(path: Path) -> tuple[Header, str]:
        header = read_header(path)
        with path.open("rb") as file:
            return header, hashlib.file_digest(file, "sha256").hexdigest()

    return dict(zip(paths, for_all(paths, inspect_one), strict=True))


def common_size(root: Path, headers: Sequence[Header]) -> tuple[int, int]:
    sizes = sorted({header.size for header in headers})
    if len(sizes) > 1:
        raise DataError(
            f"{root} holds pictures from {size_word(sizes[0])} to {size_word(sizes[-1])} pixels; "
            "say which size to bring them to"
        )
    return sizes[0]
