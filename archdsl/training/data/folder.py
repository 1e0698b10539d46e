"""One folder per class, whole or already cut into parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Unpack

import numpy as np

from archdsl.errors import DataError
from archdsl.training.data.dataset import Dataset
from archdsl.training.data.files import Files, refuse_broken
from archdsl.training.data.layout import Layout, find_layout, some
from archdsl.training.data.manifest import Manifest, Trait
from archdsl.training.data.picture_dataset import Wanted, no_pictures, picture_dataset
from archdsl.training.data.scan import read_manifest


def open_folder(root: Path, **wanted: Unpack[Wanted]) -> Dataset:
    """Open a folder of pictures; they are decoded when a batch asks for them.

    What was read of a file once on this machine, its digest, kind and size, is known from then on.
    The data are grey when every picture is, else RGB.

    Args:
        root: the folder.
        wanted: see `Wanted`.

    Raises:
        DataError: no such folder, no usable classes, broken pictures, or sizes that differ
            while `image_size` is None.
    """
    layout = find_layout(root)
    manifest = read_manifest(root, layout.class_folders())
    ends, parts = np.cumsum(manifest.counts), list(layout.parts)

    def part_of(index: int) -> str:
        folder = int(np.searchsorted(ends, index, side="right"))
        return parts[folder // len(layout.class_names)]

    refuse_broken(manifest, part_of, broken=wanted["broken"])
    given = dict(zip(layout.parts, _given(root, layout, manifest), strict=True))
    if "whole" in given:
        given = {"train": given["whole"]}
    return picture_dataset(
        given,
        {part: f"{layout.parts[part]}/" if part in layout.parts else "" for part in given},
        place=root,
        class_names=layout.class_names,
        remarks=_remarks(layout, manifest),
        **wanted,
    )


def _given(root: Path, layout: Layout, manifest: Manifest) -> Iterator[Files]:
    """The pictures of each part that there is, with their labels.

    Raises:
        DataError: class folders without a picture, all at once.
    """
    folders = layout.class_folders()
    of_folder = np.repeat(np.arange(len(folders)), manifest.counts)
    pictures = np.flatnonzero(manifest.has(Trait.PICTURE))
    of_picture = of_folder[pictures]
    found = np.bincount(of_picture, minlength=len(folders))
    empty = [root / folder for folder, count in zip(folders, found, strict=True) if not count]
    if empty:
        raise DataError(f"no pictures in {some(empty)}; add some or remove the class folders")
    classes = len(layout.class_names)
    for part in range(len(layout.parts)):
        mine = of_picture // classes == part
        yield Files(manifest=manifest, indices=pictures[mine], labels=(of_picture[mine] % classes))


def _remarks(layout: Layout, manifest: Manifest) -> Iterator[str]:
    """What is passed over."""
    if layout.beside:
        yield f"passed over: {some(f'{name}/' for name in layout.beside)}, which are no parts"
    if manifest.links:
        yield f"passed over: links to folders, {some(manifest.links)}"
    others = np.setdiff1d(np.flatnonzero(~manifest.has(Trait.PICTURE)), [*manifest.broken])
    suffixes = Counter(PurePosixPath(manifest.name(i)).suffix.lower() for i in others.tolist())
    yield from no_pictures(suffixes)
