"""Removing what the trainings behind a deleted study have left, and nothing that others need.

Only what lies beside the database is known to be its own: a database may be copied, and then names
the places of the original. Even there another database may stand on a training, as searches of one
folder share them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path, PurePath

from archdsl.records import Measurement
from archdsl.storage.folder import Folder
from archdsl.storage.storage import storage_at
from archdsl.store.weights import DATABASE, PLACE, known_to_neighbours, places
from archdsl.training.checkpoint import CHECKPOINT, CHECKPOINTS_IN_TURN, RAW_WEIGHTS, WEIGHTS

STORAGE = "archdsl-files"
"""The storage of a run profile that says nothing else."""
_CHECKPOINTS = (CHECKPOINT, *CHECKPOINTS_IN_TURN)
_FILES = (WEIGHTS, RAW_WEIGHTS, *_CHECKPOINTS)
_DRAFTS = tuple(f"{name}.tmp" for name in _FILES)


@dataclass(frozen=True, kw_only=True)
class LeftTrainings:
    """Where the trainings of a deleted study lie: each place a candidate's folder, or its URL.

    Args:
        own: nothing else stands on them; each place with the seeds that were trained.
        outside: in no folder beside the database: whose they are cannot be told; with the seeds.
        others: each place with the other database that stands on it.
    """

    own: Mapping[str, Sequence[int]]
    outside: Mapping[str, Sequence[int]]
    others: Mapping[str, str]


def left_trainings(
    measured: Mapping[str, Sequence[Measurement]], *, database: Path | None
) -> LeftTrainings:
    """What the trainings of architectures have left that are in a database no more.

    Args:
        measured: `arch_id` of each to its measurements.
        database: the file; None of a server, which nobody copies with a folder: what it names is
            its own.

    Raises:
        WriteError: a URL does not answer.
    """
    folder = None if database is None else database.parent
    known = {} if database is None else known_to_neighbours(database, measured)
    own: dict[str, Sequence[int]] = {}
    outside: dict[str, Sequence[int]] = {}
    others: dict[str, str] = {}
    for arch_id, made in measured.items():
        for each in made:
            place = _place_of(each, folder)
            if place is None:
                continue
            database_of = each.detail.get(DATABASE, known.get(arch_id))
            if database_of is not None:
                others[place] = str(database_of)
            elif folder is None or "://" in place or _lies_beside(Path(place), folder):
                own[place] = each.protocol["seeds"]
            else:
                outside[place] = each.protocol["seeds"]
    if folder is not None:
        names = {STORAGE, *(_storage_name(each) for made in measured.values() for each in made)}
        for path in _folders_of(measured.keys() - known.keys(), folder, names):
            if str(path) not in others:
                own.setdefault(str(path), ())
    return LeftTrainings(own=own, outside=outside, others=others)


def remove_training(place: str, seeds: Sequence[int]) -> list[str]:
    """Remove the weights of a candidate, in a folder its checkpoints, too.

    Returns:
        Which files were removed.

    Raises:
        OSError: one cannot be removed.
        WriteError: a URL does not answer.
    """
    storage = storage_at(place)
    if not isinstance(storage, Folder):
        kept = [storage / f"seed-{seed}" for seed in seeds]
        there = [
            (each, name)
            for each in kept
            for name in (WEIGHTS, RAW_WEIGHTS)
            if each.read(name, lambda stream: True)
        ]
        for each, name in there:
            each.remove(name)
        return [str(each / name) for each, name in there]
    removed = []
    for folder in sorted(Path(place).glob("seed-*")):
        for name in (*_FILES, *_DRAFTS):
            if (path := folder / name).is_file():
                path.unlink()
                removed.append(str(path))
        with suppress(OSError):  # whatever else is there is not ours
            folder.rmdir()
    with suppress(OSError):
        Path(place).rmdir()
    return removed


def _place_of(measurement: Measurement, folder: Path | None) -> str | None:
    """Where there are weights of a measurement; None where there are none."""
    stored = measurement.detail.get(PLACE)
    for place in [] if stored is None else places(stored, folder=folder):
        storage = storage_at(place)
        for seed in measurement.protocol["seeds"]:
            if (storage / f"seed-{seed}").read(WEIGHTS, lambda stream: True):
                return str(storage)
    return None


def _lies_beside(place: Path, folder: Path) -> bool:
    """Whether it lies in a storage that lies in the folder, and no link leads elsewhere."""
    return place.resolve() == folder.joinpath(*place.parts[-2:])


def _storage_name(measurement: Measurement) -> str:
    return PurePath(measurement.detail.get(PLACE, "")).parent.name or STORAGE


def _folders_of(arch_ids: Iterable[str], folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """Folders of candidates, of trainings that were never finished among them."""
    for name in sorted(names):
        for arch_id in sorted(arch_ids):
            for path in (folder / name).glob(f"{escape(arch_id)}-*"):
                if _lies_beside(path, folder):
                    yield path
