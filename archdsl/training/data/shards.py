"""Pictures that lie many to a file: which files, and where in them each is.

The files are looked through once on a machine. From then on every picture is read by its place, as
a file of its own would be: any order may be asked for, and a training goes on where it was.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from os import fsencode
from pathlib import Path
from typing import Unpack

import numpy as np
import numpy.typing as npt

from archdsl.document.messages import counted
from archdsl.errors import DataError
from archdsl.training.data.dataset import Dataset
from archdsl.training.data.labelled import in_order, labelled_dataset, refuse_all
from archdsl.training.data.layout import some
from archdsl.training.data.manifest import LISTED, Manifest, Within
from archdsl.training.data.manifest_cache import cache_folder
from archdsl.training.data.picture_dataset import Wanted, no_pictures
from archdsl.training.data.scan import filled
from archdsl.training.data.shard import Shard, known_shard, unpacked_at
from archdsl.training.data.shard_files import Found, Kind, find_shards
from archdsl.training.data.side_by_side import for_all
from archdsl.training.data.split import PARTS


def open_shards(
    path: Path, kind: Kind, *, named: Sequence[str] = (), **wanted: Unpack[Wanted]
) -> Dataset:
    """Open the pictures that some files hold.

    Args:
        path: a folder of files, one of them, or a pattern of their names.
        kind: of the files.
        named: the classes, by number; none where only the files may say.
        wanted: see `Wanted`.

    Raises:
        DataError: no such files, or some that cannot be used.
    """
    found = find_shards(path, kind)
    shards: list[Shard] = []

    def look() -> Manifest:
        nonlocal found
        paths = [found.root / name for name in found.files]
        every = for_all(paths, partial(known_shard, look=kind.look))
        found, shards[:] = _with_labels(found, every)
        return _manifest(found, shards)

    manifest = filled(found.root.resolve() / kind.form / found.pattern, look)
    values, labels = _merged(shards)
    unlabelled = np.flatnonzero(labels < 0).tolist()
    refuse_all(path, [f"{manifest.place(row)} has no label that can be read" for row in unlabelled])
    names = _class_names(path, shards, named)
    class_of = _classes(path, values, names, texts=kind.texts)
    occurring = {*class_of}
    class_names = [name for name in names if name in occurring] or in_order(occurring)
    if len(class_names) < 2:
        raise DataError(f"{path} holds fewer than two classes; at least two are needed")
    label_of = {name: label for label, name in enumerate(class_names)}
    return labelled_dataset(
        manifest,
        parts=np.array([PARTS.index(part) for part in found.parts], np.int64)[_which(shards)],
        labels=np.array([label_of[name] for name in class_of], np.int64)[labels],
        class_names=class_names,
        sources=found.sources,
        place=path,
        remarks=_remarks(found, shards, [name for name in names if name not in label_of]),
        **wanted,
    )


def _with_labels(found: Found, shards: Sequence[Shard]) -> tuple[Found, list[Shard]]:
    """All files but those of a test whose labels are told to nobody."""
    parts = found.parts or ["train"] * len(shards)
    rows = [*zip(found.files, parts, shards, strict=True)]
    kept = [row for row in rows if row[1] != "test" or len(row[2].values)]
    untold = [f"{row[0]} (without labels)" for row in rows if row not in kept]
    chosen = replace(
        found,
        files=[name for name, _, _ in kept],
        parts=[part for _, part, _ in kept],
        beside=[*found.beside, *untold],
    )
    return chosen, [shard for _, _, shard in kept]


def _manifest(found: Found, shards: Sequence[Shard]) -> Manifest:
    """All pictures with their sizes, and the times of their files; nothing is read."""
    names: list[bytes] = []
    files: list[Path] = []
    for name, shard in zip(found.files, shards, strict=True):
        text, ends = shard.text.tobytes(), shard.ends.tolist()
        before = fsencode(f"{name}/")
        names += [before + text[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        files.append(unpacked_at(found.root / name) if shard.unpacked else found.root / name)
    which = _which(shards)
    rows = np.empty(len(names), dtype=LISTED)
    rows["bytes"] = np.concatenate([shard.sizes for shard in shards])
    times = [(found.root / name).stat().st_mtime_ns for name in found.files]
    rows["changed"] = np.array(times)[which]
    return Manifest(
        root=found.root,
        text=b"".join(names),
        ends=np.cumsum([len(name) for name in names], dtype=np.int64),
        rows=rows,
        within=Within(
            files=files,
            which=which,
            offsets=np.concatenate([shard.offsets for shard in shards]),
        ),
    )


def _which(shards: Sequence[Shard]) -> npt.NDArray[np.int64]:
    """(pictures,) the file of each."""
    return np.repeat(np.arange(len(shards)), [len(shard.ends) for shard in shards])


def _merged(shards: Sequence[Shard]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """All labels that occur, and (pictures,) the place of each picture's among them, -1 of none."""
    values = sorted({value for shard in shards for value in shard.values.tolist()})
    place = {value: number for number, value in enumerate(values)}
    places = [
        np.array([*(place[value] for value in shard.values.tolist()), -1], np.int64)[shard.labels]
        for shard in shards
    ]
    return values, np.concatenate(places)


def _class_names(path: Path, shards: Sequence[Shard], named: Sequence[str]) -> Sequence[str]:
    """The classes by number; none where nothing says.

    Raises:
        DataError: files that say otherwise, or a name that two have.
    """
    said = {tuple(shard.class_names.tolist()) for shard in shards}
    if len(said) > 1:
        raise DataError(f"{path}: its files do not name the same classes")
    (names,) = said
    names = tuple(named) or names
    refuse_all(
        path,
        [f"two classes are called {name!r}" for name, count in Counter(names).items() if count > 1],
    )
    return names


def _classes(path: Path, values: Sequence[str], names: Sequence[str], *, texts: bool) -> list[str]:
    """The class of each label.

    Raises:
        DataError: labels that are none of the classes.
    """
    found, problems, known = [], [], {*names}
    for value in values:
        number = int(value) if re.fullmatch(r"-?[0-9]+", value) else None
        if number is None and (value in known or (texts and not names)):
            found.append(value)
        elif number is not None and 0 <= number < (len(names) or number + 1):
            found.append(names[number] if names else str(number))
        elif names:
            problems.append(f"label {value!r} is none of the {len(names)} classes, from 0 on")
        elif number is not None:
            problems.append(f"label {value!r} is no class; numbers begin with 0")
        else:
            problems.append(
                f"label {value!r} is no number, and no classes.txt beside the files names it"
            )
    refuse_all(path, problems)
    return found


def _remarks(found: Found, shards: Sequence[Shard], unused: Sequence[str]) -> Iterator[str]:
    """What is passed over, and what lies elsewhere."""
    if found.beside:
        yield f"passed over: {some(found.beside)}, which are of no part"
    suffixes: Counter[str] = Counter()
    for shard in shards:
        suffixes.update(dict(zip(shard.suffixes.tolist(), shard.counts.tolist(), strict=True)))
    yield from no_pictures(suffixes)
    if unused:
        yield f"passed over: {counted(len(unused), 'class')} without a picture ({some(unused)})"
    yield from dict.fromkeys(note for shard in shards for note in shard.notes.tolist())
    if unpacked := sum(int(shard.sizes.sum()) for shard in shards if shard.unpacked):
        yield f"unpacked once into {cache_folder()}: {unpacked / 1e6:.1f} MB"
