"""WebDataset shards: tar archives in which the members of one sample share the start of their name.

Their headers are read once; pictures are then read from the archive by their place in it.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Unpack

from archdsl.document.messages import listed
from archdsl.errors import DataError
from archdsl.training.data.dataset import Dataset
from archdsl.training.data.labelled import refuse_all
from archdsl.training.data.picture_dataset import Wanted
from archdsl.training.data.pictures import picture_suffixes
from archdsl.training.data.scan import is_hidden
from archdsl.training.data.shard import Shard
from archdsl.training.data.shard_files import Kind
from archdsl.training.data.shards import open_shards

CLASSES = ("classes.txt", "classnames.txt", "class_names.txt")
"""Files beside the shards that name the classes, a line each, from number 0 on."""
LABELS = ("cls", "json", "txt")
"""What the members are called that say the class; the first is for nothing else."""
FIELDS = ("label", "cls", "class", "target")
"""What says the class in a member that holds JSON."""
LONGEST = 100
"""Letters of a label; what is longer is a description."""
COMPRESSED = {
    b"\x1f\x8b": "gunzip",
    b"BZh": "bunzip2",
    b"\xfd7z": "unxz",
    b"\x28\xb5\x2f": "unzstd",
}
"""How files begin that were compressed, and what undoes it."""
SUFFIXES = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")

_SAMPLE = re.compile(r"((?:.*/)?[^/.]+)\.([^/]+)")
"""What a member is of, and what it is called there."""


def open_wds(path: Path, **wanted: Unpack[Wanted]) -> Dataset:
    """Open the pictures of WebDataset shards.

    Args:
        path: a folder of them, one of them, or a pattern of their names.
        wanted: see `Wanted`.

    Raises:
        DataError: no such shards, or some that cannot be used.
    """
    folder = path if path.is_dir() else path.parent
    lists = [folder / name for name in CLASSES if (folder / name).is_file()]
    return open_shards(path, WDS, named=_lines(lists[0]) if lists else (), **wanted)


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return [line.strip() for line in lines if line.strip()]


def _shards_in(folder: Path) -> list[str]:
    return [
        entry.name
        for entry in folder.iterdir()
        if entry.name.endswith(SUFFIXES) and not is_hidden(entry.name) and entry.is_file()
    ]


def _look(path: Path) -> Shard:
    """Read the headers of a tar archive, and the labels in it.

    Raises:
        DataError: it is compressed, cut off or holds no pictures, or samples of it cannot be told.
    """
    pictures: dict[str, tuple[str, int, int]] = {}
    texts: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    beside: Counter[str] = Counter()
    problems: list[str] = []
    with path.open("rb") as file:
        for info in _members(path, file):
            name = info.name.removeprefix("./")
            if any(map(is_hidden, name.split("/"))) or info.isdir():
                continue
            suffix = Path(name).suffix.lower()
            sample = _SAMPLE.fullmatch(name)
            place = (info.offset_data, info.size)
            if sample is None or not info.isreg():
                beside["links" if info.islnk() or info.issym() else suffix] += 1
            elif suffix not in picture_suffixes():
                beside[suffix] += 1
                if sample[2].lower() in LABELS:
                    texts[sample[2].lower()][sample[1]] = place
            elif sample[1] in pictures:
                first = pictures[sample[1]][0]
                problems.append(f"{first} and {name} are two pictures of one sample; leave one")
            else:
                pictures[sample[1]] = (name, *place)
        refuse_all(path, problems)
        if not pictures:
            raise DataError(f"{path}: nothing in it is called a picture (KEY.jpg, KEY.png, …)")
        word = _label_word(path, texts)
        beside[f".{word}"] -= len(texts[word])
        labels = {key: _label(file, *place, word) for key, place in texts[word].items()}
    return Shard.of([*pictures.values()], [labels.get(key) for key in pictures], beside=+beside)


def _members(path: Path, file: BinaryIO) -> Iterator[tarfile.TarInfo]:
    """What there is in an archive.

    Raises:
        DataError: it is none, compressed, or cut off.
    """
    start = file.read(3)
    for magic, undo in COMPRESSED.items():
        if start.startswith(magic):
            raise DataError(
                f"{path} is compressed, so that nothing in it can be read by its place; unpack it: "
                f"{undo} {path}"
            )
    file.seek(0)
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            while (info := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # else it keeps all
                yield info
            file.seek(archive.offset)
            if file.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
                raise tarfile.ReadError(
                    f"its end is missing; it is whole up to byte {archive.offset}"
                )
    except (tarfile.TarError, ValueError) as error:
        raise DataError(f"{path} is no whole tar archive ({error}); write it again") from error


def _label_word(path: Path, texts: Mapping[str, object]) -> str:
    """Which members say the class.

    Raises:
        DataError: none do, or some that may and others that may.
    """
    found = [word for word in LABELS if word in texts]
    if "cls" in found or len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"{path}: {listed([f'.{word}' for word in found])} may each say the class; write it as "
            "a number into members that end in .cls"
        )
    raise DataError(
        f"{path}: nothing in it says the class of a picture; write it as a number into members "
        "that end in .cls, or, if folders in it do, unpack it, and give folder:DIR"
    )


def _label(file: BinaryIO, offset: int, size: int, word: str) -> str | None:
    """The label that a member holds; None where it does not say one."""
    file.seek(offset)
    try:
        text = file.read(size).decode("utf-8-sig").strip()
        if word == "json":
            held = json.loads(text)
            said = [held[field] for field in FIELDS if field in held]
            known = len(said) == 1 and isinstance(said[0], int | str)
            text = str(said[0]).strip() if known else ""
    except (ValueError, TypeError):
        return None
    return text if 0 < len(text) <= LONGEST else None


WDS = Kind(
    form="wds/PATH",
    files=_shards_in,
    suffix=".tar",
    absent="nothing is fetched: wds/PATH is a folder of tar archives on this machine, or a pattern",
    look=_look,
    texts=False,
)
