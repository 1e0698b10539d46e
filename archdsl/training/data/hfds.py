"""Hugging Face data sets on this machine: what `save_to_disk` leaves, and Parquet files of hubs.

Saved files lie open: a picture is read from them by its place. Parquet files are packed, and are
unpacked once.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self, Unpack

import numpy as np

from archdsl.document.messages import listed
from archdsl.errors import DataError
from archdsl.files import replace_file
from archdsl.training.data.dataset import Dataset
from archdsl.training.data.manifest_cache import CACHE_VARIABLE
from archdsl.training.data.picture_dataset import Wanted
from archdsl.training.data.pictures import picture_suffixes
from archdsl.training.data.shard import Shard, unpacked_at
from archdsl.training.data.shard_files import Kind
from archdsl.training.data.shards import open_shards

STATE = "state.json"
"""Beside saved files: says which they are."""
IMAGES = ("image", "img")
LABELS = ("label", "labels", "class", "target")
MAIN_LABELS = ("label", "fine_label")
"""What columns are called, where that alone tells them from others."""
AT_ONCE = 64
"""Rows of a packed file that are in memory at a time."""


def open_hfds(path: Path, **wanted: Unpack[Wanted]) -> Dataset:
    """Open the pictures of a data set that was saved, or of Parquet files.

    Args:
        path: a folder of files, one of them, or a pattern of their names.
        wanted: see `Wanted`.

    Raises:
        DataError: no such files, or some that cannot be used.
    """
    return open_shards(path, HFDS, **wanted)


def _files_in(folder: Path) -> list[str]:
    names = [
        entry.name
        for entry in folder.iterdir()
        # What is called a cache is what `map` left of other columns.
        if entry.suffix in (".arrow", ".parquet") and not entry.name.startswith((".", "cache-"))
    ]
    if STATE not in {entry.name for entry in folder.iterdir()}:
        return names
    try:
        said = json.loads((folder / STATE).read_text(encoding="utf-8"))
        return [each["filename"] for each in said["_data_files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder / STATE} is not what save_to_disk writes ({error})") from error


def _look(path: Path) -> Shard:
    """Find the pictures of a file, and their labels.

    Raises:
        DataError: it is no such file, pyarrow is not installed, or columns of it cannot be told.
    """
    try:
        import pyarrow
    except ImportError:
        raise DataError(
            f"reading {path} needs pyarrow, which is not installed: pip install 'archdsl[hfds]'"
        ) from None
    try:
        return _looked(path) if path.suffix == ".arrow" else _unpacked(path)
    except pyarrow.ArrowException as error:
        raise DataError(f"{path} cannot be read as {path.suffix[1:]}: {error}") from error


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """Which columns of a file say what.

    Args:
        image: holds the pictures.
        label: holds their classes.
        class_names: of its numbers; none where the file does not say.
        notes: which others might have.
    """

    image: str
    label: str
    class_names: Sequence[str]
    notes: Sequence[str]

    @classmethod
    def of(cls, path: Path, schema: Any) -> Self:
        """
        Raises:
            DataError: no such columns, or several.
        """
        from pyarrow import types

        features = _features(path, schema.metadata or {})
        images = [name for name in schema.names if features[name].get("_type") == "Image"] or [
            field.name
            for field in schema
            if types.is_binary(field.type)
            or types.is_large_binary(field.type)
            or (types.is_struct(field.type) and "bytes" in {each.name for each in field.type})
        ]
        labels = [name for name in schema.names if features[name].get("_type") == "ClassLabel"] or [
            field.name
            for field in schema
            if field.name in LABELS and not types.is_nested(field.type)
        ]
        image = _one_of(path, images, IMAGES, "pictures")
        label = _one_of(path, labels, MAIN_LABELS, "classes")
        return cls(
            image=image,
            label=label,
            class_names=features[label].get("names") or (),
            notes=[
                f"{what} are those of the column {name}; there are also {listed(others)}"
                for what, name, found in (("pictures", image, images), ("classes", label, labels))
                if (others := [each for each in found if each != name])
            ],
        )


def _features(path: Path, metadata: Mapping[bytes, bytes]) -> Mapping[str, Mapping[str, Any]]:
    """What the file itself says of its columns; nothing of others."""
    try:
        said = json.loads(metadata.get(b"huggingface", b"{}"))
        features = said.get("info", {}).get("features", {})
        known = {name: each for name, each in features.items() if isinstance(each, dict)}
    except (ValueError, AttributeError) as error:
        raise DataError(f"{path} does not say what its columns are ({error})") from error
    return defaultdict(dict, known)


def _one_of(path: Path, found: Sequence[str], usual: Sequence[str], what: str) -> str:
    """The column that holds something: the only one, or the one of a usual name."""
    chosen = found if len(found) == 1 else [name for name in found if name in usual]
    if len(chosen) == 1:
        return chosen[0]
    if not found:
        raise DataError(f"{path} has no column of {what}")
    raise DataError(
        f"{path} has several columns of {what}: {listed(found)}; leave one, and save again: "
        "remove_columns([...]).save_to_disk(DIR)"
    )


def _looked(path: Path) -> Shard:
    """Find the pictures of a saved file, where they are."""
    import pyarrow

    pictures: list[tuple[str, int, int]] = []
    labels: list[str | None] = []
    with pyarrow.memory_map(str(path)) as source:
        whole = source.read_buffer()
        with pyarrow.ipc.open_stream(whole) as batches:
            columns = _Columns.of(path, batches.schema)
            for batch in batches:
                stored, suffixes = _pictures_of(path, batch.column(columns.image), len(pictures))
                _, ends, content = stored.buffers()
                wide = pyarrow.types.is_large_binary(stored.type)
                marks = np.frombuffer(ends, np.int64 if wide else np.int32)
                marks = marks[stored.offset : stored.offset + len(stored) + 1].astype(np.int64)
                begin = content.address - whole.address
                if not 0 <= begin <= whole.size - content.size:
                    raise DataError(f"{path} is compressed; save it again as save_to_disk does")
                sizes = np.diff(marks).tolist()
                for suffix, mark, size in zip(suffixes, marks.tolist(), sizes, strict=False):
                    pictures.append((f"{len(pictures)}{suffix}", begin + mark, size))
                labels += _labels_of(batch.column(columns.label))
    return Shard.of(pictures, labels, class_names=columns.class_names, notes=columns.notes)


def _unpacked(path: Path) -> Shard:
    """Lay the pictures of a Parquet file one behind the other into a file of their own."""
    from pyarrow.parquet import ParquetFile

    pictures: list[tuple[str, int, int]] = []
    labels: list[str | None] = []
    target = unpacked_at(path)
    with ParquetFile(path) as packed:
        columns = _Columns.of(path, packed.schema_arrow)

        def unpack(file: BinaryIO) -> None:
            wanted = [columns.image, columns.label]
            for batch in packed.iter_batches(AT_ONCE, columns=wanted):
                stored, suffixes = _pictures_of(path, batch.column(columns.image), len(pictures))
                for suffix, content in zip(suffixes, stored.to_pylist(), strict=True):
                    pictures.append((f"{len(pictures)}{suffix}", file.tell(), len(content)))
                    file.write(content)
                labels.extend(_labels_of(batch.column(columns.label)))

        try:
            replace_file(target, unpack, draft=target.with_suffix(f".{os.getpid()}.tmp"))
        except OSError as error:
            raise DataError(
                f"the pictures of {path} cannot be unpacked into {target} "
                f"({error.strerror or error}); make room there, or name another folder by "
                f"{CACHE_VARIABLE}"
            ) from error
    return Shard.of(
        pictures, labels, class_names=columns.class_names, unpacked=True, notes=columns.notes
    )


def _pictures_of(path: Path, column: Any, before: int) -> tuple[Any, list[str]]:
    """The pictures of a column as they were stored, and what their files' names ended in.

    Args:
        path: of the file.
        column: of some of its rows.
        before: how many rows came before these.

    Raises:
        DataError: a row holds no picture.
    """
    import pyarrow.compute

    fields = {each.name for each in column.type} if pyarrow.types.is_struct(column.type) else set()
    stored = column.field("bytes") if fields else column
    if column.null_count or stored.null_count:
        absent = pyarrow.compute.or_(column.is_null(), stored.is_null())
        row = before + absent.to_pylist().index(True)
        raise DataError(
            f"{path}: row {row} holds no picture, at most the path of one; save the data by "
            "save_to_disk, which takes the pictures along"
        )
    names = column.field("path").to_pylist() if "path" in fields else [None] * len(column)
    suffixes = [Path(name or "").suffix.lower() for name in names]
    return stored, [each if each in picture_suffixes() else "" for each in suffixes]


def _labels_of(column: Any) -> list[str | None]:
    """As texts; none where a data set says, with -1, that it keeps them to itself."""
    return [None if each in (None, -1) else str(each) for each in column.to_pylist()]


HFDS = Kind(
    form="hfds/PATH",
    files=_files_in,
    suffix=".arrow or .parquet",
    absent="nothing is fetched: hfds/PATH is a folder on this machine; save a data set into one: "
    'python -c "from datasets import load_dataset; '
    "load_dataset('NAME').save_to_disk('PATH')\"",
    look=_look,
    texts=True,
)
