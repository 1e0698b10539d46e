"""A data set of picture files, whatever says which they are and what they show."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from archdsl.document.messages import counted, listed
from archdsl.identity import canonical_json
from archdsl.training.data.dataset import Dataset, MixedSizesError, size_word
from archdsl.training.data.files import Files, FileSplit, sampled_normalisation
from archdsl.training.data.manifest import Trait
from archdsl.training.data.pictures import FULL_DEPTH, decode
from archdsl.training.data.split import copies, cut_missing
from archdsl.training.recipe import Broken

NAMES_SHOWN = 5
KINDS_SHOWN = 5
AT_ONCE = 4096
"""Pictures whose identities are in memory at a time."""
WIDTH_BITS = 32


class Wanted(TypedDict):
    """What is wanted of pictures, whatever lists them.

    Args:
        name: the source as the user wrote it.
        split_seed: decides the parts that are not given.
        image_size: (height, width) that pictures are brought to; None takes the size they
            all have.
        broken: what becomes of pictures to train on that cannot be decoded.
        crop_pct: see `Dataset`.
        uncut: see `open_data`.
    """

    name: str
    split_seed: int
    image_size: tuple[int, int] | None
    broken: Broken
    crop_pct: float
    uncut: bool


OTHERWISE = Trait.SEE_THROUGH | Trait.TURNED
"""What was once read otherwise: where it occurs, the digest says so."""


def picture_dataset(
    given: Mapping[str, Files],
    sources: Mapping[str, str],
    *,
    place: Path,
    class_names: Sequence[str],
    remarks: Iterable[str] = (),
    **wanted: Unpack[Wanted],
) -> Dataset:
    """Make a data set whose pictures are decoded when a batch asks for them.

    They are grey when every picture is, else RGB.

    Args:
        given: `train`, and what there is of `validation` and `test`.
        sources: where each comes from, in words; empty for what is no part by itself.
        place: the file or folder that errors name.
        class_names: by label.
        remarks: what a person should know, before what is said of the pictures themselves.
        wanted: see `Wanted`.

    Raises:
        DataError: broken pictures, too few of a class, or sizes that differ while `image_size` is
            None.
    """
    parts, sources = cut_missing(
        given,
        sources,
        contents=_contents(given["train"]),
        seed=wanted["split_seed"],
        class_names=class_names,
        source=str(place),
        uncut=wanted["uncut"],
    )
    channels, (smallest, largest) = _kinds(parts)
    image_size, broken = wanted["image_size"], wanted["broken"]
    if image_size is None and smallest != largest:
        raise MixedSizesError(
            f"{place} holds pictures from {size_word(smallest)} to {size_word(largest)} pixels; "
            "say which size to bring them to"
        )
    size = image_size or smallest
    depth = _depth(parts["train"])
    read = partial(decode, channels=channels, image_size=size, depth=depth)
    normalisation = sampled_normalisation(parts["train"], read, broken=broken)
    splits = {
        key: FileSplit(
            files=part,
            channels=channels,
            image_size=size,
            depth=depth,
            normalisation=normalisation,
            crop_pct=1.0 if key == "train" else wanted["crop_pct"],
            broken={} if key == "train" and broken == "skip" else None,
        )
        for key, part in parts.items()
    }
    return Dataset(
        name=wanted["name"],
        digest=_digest(parts, depth=depth),
        class_names=tuple(class_names),
        channels=channels,
        image_size=size,
        normalisation=normalisation,
        sources=sources,
        remarks=(*remarks, *_remarks(parts, depth=depth)),
        picture_sizes=None if smallest == largest == size else (smallest, largest),
        depth=depth,
        crop_pct=wanted["crop_pct"],
        train=splits["train"],
        validation=splits["validation"],
        test=splits.get("test"),
    )


def _contents(files: Files) -> npt.NDArray[np.uint64]:
    """(count,) the first 64 bits of each picture's digest."""
    digests = files.manifest.rows["digest"][:, :8][files.indices]
    return np.ascontiguousarray(digests).view(np.uint64)[:, 0]


def _kinds(parts: Mapping[str, Files]) -> tuple[int, Sequence[tuple[int, int]]]:
    """Channels, and the first and the last (height, width) of all."""
    rows = parts["train"].manifest.rows
    shown = np.concatenate([part.indices for part in parts.values()])
    grey = (rows["traits"][shown] & Trait.GREY).all()
    sizes = (rows["height"][shown].astype(np.int64) << WIDTH_BITS) + rows["width"][shown]
    return 1 if grey else 3, [divmod(int(e), 1 << WIDTH_BITS) for e in (sizes.min(), sizes.max())]


def _depth(files: Files) -> int:
    """Bits of 16-bit pixels that are in use in any of the pictures, at least 8."""
    greatest = int(files.manifest.rows["greatest"][files.indices].max())
    return max(greatest.bit_length(), 8) if greatest else FULL_DEPTH


def _digest(parts: Mapping[str, Files], *, depth: int) -> str:
    """16 hexadecimal digits of every name, label and content, and of what is read otherwise than
    it once was.

    It is `archdsl.identity.digest` of parts → [[name, label, digest], …], which for a million files
    would be a gigabyte of objects.
    """
    found = hashlib.sha256(b"{")
    for number, (part, files) in enumerate(sorted(parts.items())):
        found.update(f'{"," if number else ""}"{part}":['.encode())
        for start in range(0, len(files), AT_ONCE):
            contents = list(_identities(files, slice(start, start + AT_ONCE), depth=depth))
            found.update(("," if start else "").encode() + canonical_json(contents)[1:-1].encode())
        found.update(b"]")
    found.update(b"}")
    return found.hexdigest()[:16]


def _identities(files: Files, some: slice, *, depth: int) -> Iterator[list[str | int]]:
    """What the digest is of, of some of the pictures."""
    indices, labels = files.indices[some].tolist(), files.labels[some].tolist()
    rows = files.manifest.rows[files.indices[some]]
    for index, label, row in zip(indices, labels, rows, strict=True):
        content = [files.manifest.name(index), label, row["digest"].tobytes().hex()]
        if row["traits"] & OTHERWISE:
            content.append("on grey, upright")
        if row["greatest"] and depth != FULL_DEPTH:
            content.append(f"{depth} bits")
        yield content


def no_pictures(suffixes: Counter[str]) -> Iterator[str]:
    """Says how many files are passed over, by their suffixes."""
    if suffixes:
        kinds = [
            f"{count} {suffix or 'without a suffix'}"
            for suffix, count in suffixes.most_common(KINDS_SHOWN)
        ]
        yield f"passed over: files that are no pictures ({', '.join(kinds)})"


def _remarks(parts: Mapping[str, Files], *, depth: int) -> Iterator[str]:
    """How the pictures are read, and which occur twice."""
    manifest = parts["train"].manifest
    pictures = np.concatenate([files.indices for files in parts.values()])
    traits = manifest.rows["traits"][pictures]
    for trait, words in (
        (Trait.SEE_THROUGH, "with transparent pixels, which show a grey background"),
        (Trait.TURNED, "turned upright, as they say (EXIF orientation)"),
        (Trait.FRAMES, "with further frames or pages, which are not read"),
    ):
        if count := int(((traits & trait) > 0).sum()):
            yield f"{words}: {count} of {len(pictures)} pictures"
    if unread := [manifest.name(index) for index in manifest.broken]:
        names = listed(unread, most=NAMES_SHOWN, rest=" and {} more")
        yield f"passed over: {counted(len(unread), 'picture')} that cannot be read ({names})"
    if count := int((manifest.rows["greatest"][pictures] > 0).sum()):
        yield f"with 16-bit pixels, {depth} bits in use: {count} of {len(pictures)} pictures"
    del pictures, traits
    yield from copies({part: (_contents(each), each.labels) for part, each in parts.items()})
