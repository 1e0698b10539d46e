"""From a source, as a study writes it, to a data set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from archdsl.document.messages import nearest
from archdsl.errors import DataError
from archdsl.training.data.csv_list import open_csv
from archdsl.training.data.dataset import Dataset
from archdsl.training.data.digits import open_digits
from archdsl.training.data.folder import open_folder
from archdsl.training.data.hfds import open_hfds
from archdsl.training.data.npz import open_npz
from archdsl.training.data.wds import open_wds
from archdsl.training.recipe import Broken

FORMS = ("digits", "npz:FILE", "csv:FILE", "folder:DIR", "torch/NAME:DIR", "wds/PATH", "hfds/PATH")
PICTURES = {"csv:": open_csv, "folder:": open_folder, "wds/": open_wds, "hfds/": open_hfds}
"""What opens picture files, by how a source begins."""

NO_NAMES: Mapping[str, str] = MappingProxyType({})

OF_SUFFIX = {".npz": "npz:", ".csv": "csv:", ".tar": "wds/", ".parquet": "hfds/"}
"""How a source begins that is a file of this name."""

_FORM = re.compile("(?:(npz:|csv:|folder:|wds/|hfds/|tfds/)|torch/([^:]*):)(.+)", re.DOTALL)
_BEGINNING = re.compile("[:/]")
_NAME = re.compile(r"[A-Za-z][\w-]*")


def open_data(
    source: str,
    *,
    names: Mapping[str, str] = NO_NAMES,
    split_seed: int = 0,
    image_size: tuple[int, int] | None = None,
    broken: Broken = "stop",
    crop_pct: float = 1.0,
    uncut: bool = False,
) -> Dataset:
    """Open a data set.

    Args:
        source: `digits`, `npz:FILE`, `csv:FILE`, `folder:DIR`, `torch/NAME:DIR`, `wds/PATH`,
            `hfds/PATH` or one of `names`; relative paths start at the current folder.
        names: plain names and the source each stands for, as a run profile gives them.
        split_seed: decides the splits that the source does not bring along.
        image_size: (height, width) that the pictures of a folder are brought to. The other
            sources keep their own size: `check_data` says when it is not the document's.
        broken: what becomes of pictures to train on that cannot be read; see `Recipe`.
        crop_pct: see `Recipe`; images that have no other size are shown whole.
        uncut: whether classes of too few images for every part are in train whole, not refused:
            where all parts are read alike.

    Raises:
        DataError: an unknown source, or data that cannot be used.
    """
    if source == "digits" and source in names:
        raise DataError(
            f"the run profile gives the name 'digits' to {names['digits']}, but it belongs to the "
            "embedded data; choose another name"
        )
    location = names.get(source, source)
    if location == "digits":
        return open_digits(name=source, split_seed=split_seed)
    form = _FORM.fullmatch(location)
    if form is None:
        raise unknown_source(source, location=location, names=names)
    kind, set_name, place = form[1] or "torch", form[2], form[3]
    path = Path(place).expanduser()
    if kind == "tfds/":
        raise DataError(
            f"{location} takes TensorFlow to read; write its pictures out where that is installed "
            "(docs/searching.md, Your own images, shows how), and give folder:DIR"
        )
    if kind == "npz:":
        return open_npz(path, name=source, split_seed=split_seed, uncut=uncut)
    if kind == "torch":
        from archdsl.training.data.torch_sets import open_torch

        return open_torch(set_name, path, name=source, split_seed=split_seed)
    return PICTURES[kind](
        path,
        name=source,
        split_seed=split_seed,
        image_size=image_size,
        broken=broken,
        crop_pct=crop_pct,
        uncut=uncut,
    )


def unknown_source(source: str, *, location: str, names: Mapping[str, str]) -> DataError:
    named = source in names
    what = f"'{location}' (the name '{source}')" if named else f"'{location}'"
    # What a name stands for is never another name.
    words = [*FORMS] if named else [*FORMS, *names]
    message = f"{what} is not a source of data; allowed are {', '.join(words)}"
    spellings = {_BEGINNING.split(word)[0]: word for word in words}
    near = nearest(_BEGINNING.split(location)[0], spellings)
    if Path(location).is_dir():
        message += f"; did you mean 'folder:{location}'?"
    elif (beginning := OF_SUFFIX.get(Path(location).suffix)) and ":" not in location:
        message += f"; did you mean '{beginning}{location}'?"
    elif near:
        message += f"; did you mean '{spellings[near]}'?"
    elif not named and _NAME.fullmatch(location):
        message += (
            "; a name of your own stands for a source by a line in the run profile: "
            f'data: {{{location}: "folder:DIR"}}'
        )
    return DataError(message)
