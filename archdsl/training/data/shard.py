"""One file that holds many pictures, and what was found in it, which is kept."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from itertools import accumulate
from os import fsencode
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from archdsl.errors import DataError, WriteError
from archdsl.files import write_whole
from archdsl.training.data.manifest_cache import CACHE_VARIABLE, FRESH_NS, kept_at

VERSION = 1
"""Of what is kept of a file: raised when it is looked through otherwise."""
NOTHING: Mapping[str, int] = MappingProxyType({})

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Shard:
    """What lies in a file.

    Args:
        text: (bytes,) uint8: what the pictures are called, one behind the other.
        ends: (pictures,) where each name ends.
        offsets: (pictures,) where each begins, in the file or in what it was unpacked into.
        sizes: (pictures,) bytes.
        labels: (pictures,) places in `values`; -1 without a label.
        values: the labels that occur, as texts.
        class_names: of the labels that are numbers, by number; none where the file does not say.
        suffixes: of what lies beside the pictures.
        counts: how often each of them occurs.
        unpacked: () whether the pictures lie at `unpacked_at`.
        notes: what a person should know, a sentence each.
    """

    text: Array
    ends: Array
    offsets: Array
    sizes: Array
    labels: Array
    values: Array
    class_names: Array
    suffixes: Array
    counts: Array
    unpacked: Array
    notes: Array

    @classmethod
    def of(
        cls,
        pictures: Sequence[tuple[str, int, int]],
        labels: Sequence[str | None],
        *,
        class_names: Sequence[str] = (),
        beside: Mapping[str, int] = NOTHING,
        unpacked: bool = False,
        notes: Sequence[str] = (),
    ) -> Self:
        """
        Args:
            pictures: name, offset and size of each.
            labels: of each.
            class_names: see above.
            beside: suffixes and how often each occurs.
            unpacked: see above.
            notes: see above.
        """
        names = [fsencode(name) for name, _, _ in pictures]
        values = sorted({label for label in labels if label is not None})
        place = {label: number for number, label in enumerate(values)}
        return cls(
            text=np.frombuffer(b"".join(names), np.uint8),
            ends=np.array([*accumulate(map(len, names))], np.int64),
            offsets=np.array([offset for _, offset, _ in pictures], np.int64),
            sizes=np.array([size for _, _, size in pictures], np.int64),
            labels=np.array([-1 if each is None else place[each] for each in labels], np.int64),
            values=np.array(values, np.str_),
            class_names=np.array(class_names, np.str_),
            suffixes=np.array([*beside], np.str_),
            counts=np.array([*beside.values()], np.int64),
            unpacked=np.array(unpacked),
            notes=np.array(notes, np.str_),
        )


def known_shard(path: Path, *, look: Callable[[Path], Shard]) -> Shard:
    """What lies in a file, which is looked through unless it was, and did not change since.

    Raises:
        DataError: what `look` raises, or the file cannot be read.
    """
    try:
        found = path.stat()
        kept = kept_at(path.resolve() / "shard")
        state = np.array([VERSION, found.st_size, found.st_mtime_ns])
        shard = _load(kept, state)
        if shard is None or (shard.unpacked and not _is_whole(shard, path)):
            shard = look(path)
            if time.time_ns() - found.st_mtime_ns >= FRESH_NS:
                _save(shard, kept, state)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    return shard


def unpacked_at(path: Path) -> Path:
    """Where the pictures of a file lie that cannot be read where they are.

    Raises:
        DataError: nothing can be kept.
    """
    kept = kept_at(path.resolve() / "shard")
    if kept is None:
        raise DataError(
            f"{path}: its pictures are packed, and there is no place to unpack them into; name a "
            f"folder by the environment variable {CACHE_VARIABLE}"
        )
    return kept.with_suffix(".pictures")


def _is_whole(shard: Shard, path: Path) -> bool:
    """Whether what was unpacked is still there."""
    unpacked = unpacked_at(path)
    return unpacked.is_file() and unpacked.stat().st_size == shard.sizes.sum()


def _load(kept: Path | None, state: Array) -> Shard | None:
    if kept is None:
        return None
    try:
        with kept.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if not np.array_equal(arrays["state"], state):
                return None
            return Shard(**{each.name: arrays[each.name] for each in fields(Shard)})
    except Exception:  # whatever a damaged file makes of the reader, it is made anew
        return None


def _save(shard: Shard, kept: Path | None, state: Array) -> None:
    if kept is not None:
        stream = io.BytesIO()
        np.savez(stream, state=state, **vars(shard))
        with suppress(WriteError):  # then it is looked through again next time
            write_whole(kept, stream.getvalue())
