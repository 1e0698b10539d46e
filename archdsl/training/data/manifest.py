"""What is known of the files of a folder, or of what lies within some files.

The rows lie in arrays, beside them all names in one text: a million files are some 100 MB, and no
process that is forked from another copies them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntFlag
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archdsl.errors import DataError
from archdsl.training.data.place import Member, Place


class Trait(IntFlag):
    """What a file is, beside its size."""

    PICTURE = 1
    GREY = 2
    SEE_THROUGH = 4
    TURNED = 8
    FRAMES = 16


ROW = np.dtype(
    [
        ("bytes", "<i8"),
        ("changed", "<i8"),  # nanoseconds since 1970
        ("digest", "u1", 32),  # SHA-256 of the content
        ("height", "<i4"),
        ("width", "<i4"),
        ("greatest", "<u2"),
        ("traits", "u1"),
    ]
)
LISTED = np.dtype([(word, ROW[word]) for word in ("bytes", "changed")])
"""What is known of a file before it is read."""
Rows = npt.NDArray[np.void]


@dataclass(frozen=True, kw_only=True, eq=False)
class Within:
    """Where rows lie that are no files of their own.

    Args:
        files: that hold them.
        which: (rows,) of the files.
        offsets: (rows,) where each begins.
    """

    files: Sequence[Path]
    which: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Manifest:
    """The files below a folder, in the order of their paths.

    Args:
        root: the folder.
        text: all names, relative to it and as the system's bytes, one behind the other.
        ends: (files,) where each name ends in `text`.
        rows: (files,) of type `ROW`, or `LISTED` until it is known what they hold.
        counts: files in each of the folders that it was made of, one behind the other.
        links: to folders, which are not followed.
        read: how many files were read for it, the others being known.
        broken: files that are called pictures and cannot be read: index to what is wrong.
        within: where they lie; None of files.
    """

    root: Path
    text: bytes
    ends: npt.NDArray[np.int64]
    rows: Rows
    counts: Sequence[int] = ()
    links: Sequence[str] = ()
    read: int = 0
    broken: Mapping[int, DataError] = field(default_factory=dict)
    within: Within | None = None

    def __len__(self) -> int:
        return len(self.ends)

    def name(self, index: int) -> str:
        """The path of a file relative to the root, with `/` between its parts."""
        start = int(self.ends[index - 1]) if index else 0
        return os.fsdecode(self.text[start : int(self.ends[index])])

    def place(self, index: int) -> Place:
        """Where a file lies."""
        path = self.root / self.name(index)
        if self.within is None:
            return path
        file = self.within.files[self.within.which[index]]
        offset, size = int(self.within.offsets[index]), int(self.rows["bytes"][index])
        return Member(name=path, file=file, offset=offset, size=size)

    def has(self, trait: Trait) -> npt.NDArray[np.bool_]:
        """(files,) which files have a trait."""
        found: npt.NDArray[np.bool_] = (self.rows["traits"] & trait) > 0
        return found
