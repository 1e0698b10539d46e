"""Which folders hold the parts of a data set, and which its classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from archdsl.document.messages import listed
from archdsl.errors import DataError
from archdsl.training.data.scan import is_hidden

SPELLINGS: Mapping[str, Sequence[str]] = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""Names of folders, in any case, that stand for a part of the data and never for a class."""
PART_OF = {word: part for part, words in SPELLINGS.items() for word in words}
NAMES_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where the pictures of a folder lie.

    Args:
        parts: `train`, and where they are given `validation` and `test`, to the folder of each,
            relative to the root; or `whole` alone, to the root itself.
        class_names: sorted; each is a folder in every part.
        beside: folders beside the parts, which are not read.
    """

    parts: Mapping[str, str]
    class_names: tuple[str, ...]
    beside: tuple[str, ...] = ()

    def class_folders(self) -> list[str]:
        """Each class of each part, relative to the root: part by part, class by class."""
        return [
            f"{folder}/{name}" if folder else name
            for folder in self.parts.values()
            for name in self.class_names
        ]


def find_layout(root: Path) -> Layout:
    """Look at the folders of a data set.

    Raises:
        DataError: no such folder; parts that are named twice, or without one to train on; fewer
            than two classes; parts that differ in their classes.
    """
    if not root.is_dir():
        raise DataError(f"{root}: there is no such folder; folder:DIR needs one folder per class")
    names = folders_in(root)
    parts = _parts(root, names)
    classes = {part: _classes(root / folder) for part, folder in parts.items()}
    expected = next(iter(classes.values()))
    first = next(iter(parts.values()))
    strange = [
        f"{root / parts[part]} and {root / first} do not have the same classes: "
        f"only one of them has {some(sorted(set(found) ^ set(expected)))}"
        for part, found in classes.items()
        if found != expected
    ]
    if strange:
        raise DataError("\n".join(strange))
    beside = () if "whole" in parts else tuple(sorted(set(names) - set(parts.values())))
    return Layout(parts=parts, class_names=expected, beside=beside)


def _parts(root: Path, names: Sequence[str]) -> dict[str, str]:
    found = {
        part: [name for name in names if name.lower() in spellings]
        for part, spellings in SPELLINGS.items()
    }
    for part, folders in found.items():
        if len(folders) > 1:
            raise DataError(
                f"{root} has {' and '.join(f'{each}/' for each in folders)}, which both stand for "
                f"the {part} part; bring them into one folder"
            )
    parts = {part: folders[0] for part, folders in found.items() if folders}
    if not parts:
        return {"whole": ""}
    if "train" not in parts:
        given = " and ".join(f"{folder}/" for folder in parts.values())
        raise DataError(
            f"{root} has {given} but no train/; these are names of parts and never of classes: "
            "add train/, or give a class of such a name another one"
        )
    if len(parts) == 1:
        (folder,) = parts.values()
        raise DataError(
            f"{root} has {folder}/ but no val/ and no test/; add one, or name {root / folder} "
            "itself, which is then cut into parts"
        )
    return parts


def _is_train(name: str) -> bool:
    return name.lower() in SPELLINGS["train"]


def folders_in(folder: Path) -> list[str]:
    """The names of the folders in a folder, in their order, without hidden ones.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return sorted(e.name for e in folder.iterdir() if e.is_dir() and not is_hidden(e.name))
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from error


def _classes(folder: Path) -> tuple[str, ...]:
    names = folders_in(folder)
    if len(names) < 2:
        found = f"one class folder, {names[0]}" if names else "no class folders"
        raise DataError(
            f"{folder} has {found}; at least two are needed, each holding the pictures of one class"
        )
    parted = [name for name in names if any(map(_is_train, folders_in(folder / name)))]
    if parted:
        raise DataError(
            f"{folder / parted[0]} has train/ within; parts come first and classes within them: "
            f"move {parted[0]}/train/ to train/{parted[0]}/, and the others likewise"
        )
    return tuple(names)


def some(names: Iterable[object]) -> str:
    """The first few names."""
    return listed(list(names), most=NAMES_SHOWN, rest=" and {} more")
