"""Which files hold the pictures of a data set, and which part of it each is of."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os.path import commonprefix
from pathlib import Path

from archdsl.errors import DataError
from archdsl.training.data.labelled import refuse_all
from archdsl.training.data.layout import PART_OF, folders_in, some
from archdsl.training.data.shard import Shard
from archdsl.training.data.split import PARTS

PLAIN = "data"
"""A folder that hubs put files into, which says nothing of them."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of files that hold pictures.

    Args:
        form: how a source of them is written.
        files: gives the names of those in a folder, none hidden.
        suffix: of them, as messages name it.
        absent: what to do where there are none.
        look: looks through one.
        texts: whether labels that are no numbers name classes though nothing lists these.
    """

    form: str
    files: Callable[[Path], list[str]]
    suffix: str
    absent: str
    look: Callable[[Path], Shard]
    texts: bool


@dataclass(frozen=True, kw_only=True)
class Found:
    """Files that hold pictures.

    Args:
        root: the folder that they are in.
        pattern: of their names; empty for all.
        files: in their order, relative to the root.
        beside: what is passed over.
        parts: what each is of; none where nothing says.
        sources: part to where it comes from, in words.
    """

    root: Path
    pattern: str
    files: Sequence[str]
    beside: Sequence[str]
    parts: Sequence[str] = ()
    sources: Mapping[str, str] = field(default_factory=dict)


def find_shards(path: Path, kind: Kind) -> Found:
    """The files of a folder, in it and in folders that are named like parts; one file; or those of
    a pattern. The parts are those that folders or names tell of, each in its usual spellings.

    Raises:
        DataError: there are none, or they do not make up the parts of a data set.
    """
    root, pattern = (path, "") if path.is_dir() else (path.parent, path.name)
    try:
        here = kind.files(root)
        inside = {} if pattern else {name: kind.files(root / name) for name in folders_in(root)}
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file or folder; {kind.absent}") from None
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}") from error
    here = [pattern] if pattern in here else fnmatch.filter(here, pattern or "*")
    read = [name for name in inside if name.lower() in {PLAIN, *PART_OF}]
    others = [f"{name}/" for name in inside if inside[name] and name not in read]
    files = sorted([*here, *(f"{folder}/{name}" for folder in read for name in inside[folder])])
    if not files:
        hint = f"name one of {some(others)}" if others else kind.absent
        hint = "write * for what is in braces" if "{" in pattern else hint
        what = f"{kind.suffix} file" if path.exists() else "such file or folder"
        raise DataError(f"{path}: there is no {what}; {hint}")
    found = Found(root=root, pattern=pattern, files=files, beside=others)
    return _in_parts(path, found, kind)


def _in_parts(path: Path, found: Found, kind: Kind) -> Found:
    """The files of the parts, where there are some."""
    parts = {name: _parts_of(name) for name in found.files}
    refuse_all(
        path,
        [
            f"{name} may be of {' and of '.join(sorted(each))}; rename it"
            for name, each in parts.items()
            if len(each) > 1
        ],
    )
    of = {part: [name for name in parts if part in parts[name]] for part in PARTS}
    given = {part: names for part, names in of.items() if names}
    if not given or (found.pattern and len(given) == 1):
        return found
    first = commonprefix(next(iter(given.values())))  # noqa: RUF071 (letter by letter is meant)
    alone = f"{kind.form.partition('/')[0]}/{path}/{first}*"
    if "train" not in given:
        raise DataError(
            f"{path} has files of {' and '.join(given)} but none of train; add some, or, to score "
            f"a network on these, name those of one part, such as {alone}"
        )
    if len(given) == 1:
        raise DataError(
            f"{path} has files of train but none of validation or test; add some, or name those of "
            f"train themselves, which are then cut into parts: {alone}"
        )
    return replace(
        found,
        files=[name for names in given.values() for name in names],
        parts=[part for part, names in given.items() for _ in names],
        sources={part: some(names) for part, names in given.items()},
        beside=[*found.beside, *(name for name in parts if not parts[name])],
    )


def _parts_of(name: str) -> set[str]:
    """What a file is of, as its folder says, else the words of its own name."""
    folder, _, own = name.lower().rpartition("/")
    words = [folder] if folder in PART_OF else re.split("[^a-z]+", own)
    return {PART_OF[word] for word in words if word in PART_OF}
