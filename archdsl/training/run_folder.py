"""The folder of a single training: what was asked for, its epochs, and one process at a time."""

from __future__ import annotations

import csv
import errno
import fcntl
import io
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archdsl.document.messages import shown
from archdsl.errors import ArchdslError, WriteError
from archdsl.files import refuse_dash, write_whole
from archdsl.identity import differences
from archdsl.training.bundle import BUNDLE
from archdsl.training.checkpoint import CHECKPOINT, RAW_WEIGHTS, WEIGHTS

ASKED, EPOCHS, CURVES, LOCK = "run.json", "epochs.csv", "curves.png", ".lock"
KEPT = (BUNDLE, RAW_WEIGHTS, EPOCHS, CURVES, "document.yaml", "recipe.yaml", ASKED)
"""What a finished training leaves, the word on what it is last."""
MOST_SHOWN = 8
_COMPARED = ("document", "recipe", "data", "split_seed", "seed", "init")


class RunError(ArchdslError):
    """A folder that holds another training, or one that another process is at."""


class RunFolder:
    """One folder.

    Args:
        path: made where it is missing.

    Raises:
        WriteError: it cannot be made or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        refuse_dash([path])
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = "it is a file" if path.is_file() else (error.strerror or str(error)).lower()
            raise WriteError(f"cannot make the folder {path}: {reason}; name another") from None

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @contextmanager
    def held(self) -> Iterator[None]:
        """While this process trains into the folder: the kernel's lock, which dies with it.

        Raises:
            RunError: another process does.
            WriteError: the folder cannot be written.
        """
        lock = self / LOCK
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise WriteError(f"cannot write into {self.path}: {reason}; name another") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.truncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
            yield
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN):
                raise
            who = os.pread(descriptor, 32, 0).decode(errors="replace")
            raise RunError(
                f"another training (process {who}) is under way into {self.path}; wait for it, or "
                "name another folder with -o"
            ) from None
        finally:
            os.close(descriptor)

    def asked(self) -> dict[str, Any] | None:
        """What was asked for in here; None of a folder without a training.

        Raises:
            RunError: what says so is damaged.
        """
        return asked_in(self.path)

    @property
    def finished(self) -> bool:
        """Whether there is a bundle."""
        return (self / BUNDLE).is_file()

    def set_aside(self, name: str) -> Path:
        """Bring a finished training into a folder in this one.

        Raises:
            OSError: it cannot be.
        """
        place = self / name
        place.mkdir(exist_ok=True)
        for each in KEPT:
            if (self / each).exists():
                (self / each).replace(place / each)
        return place

    def adopt(self, place: Path) -> None:
        """Copy a finished training from elsewhere, the word on what it is last."""
        for each in KEPT:
            if (place / each).exists():
                shutil.copyfile(place / each, self / each)

    def clear(self) -> None:
        """Remove what a training needs only while it runs."""
        for name in (WEIGHTS, CHECKPOINT):
            (self / name).unlink(missing_ok=True)


def asked_in(folder: Path) -> dict[str, Any] | None:
    """What was asked for in a folder; None of one without a training.

    Raises:
        RunError: what says so is damaged.
    """
    path = folder / ASKED
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        found = None
    if not isinstance(found, dict) or not found.keys() >= set(_COMPARED):
        raise RunError(f"{path} is damaged; bring back a copy, or name another folder with -o")
    return found


def told_apart(there: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """A line for each thing that two trainings differ in."""
    one = {name: there[name] for name in _COMPARED}
    other = {name: asked[name] for name in _COMPARED}
    if there.get("arch_id") == asked.get("arch_id"):
        del one["document"], other["document"]  # whatever it is called, it is the same network
    recipes = one["recipe"], other["recipe"]
    taught = {each.get("teacher_weights") for each in recipes}
    if len(taught) == 1 and None not in taught:  # the same teacher, wherever it lies
        one["recipe"], other["recipe"] = ({**each, "teacher": None} for each in recipes)
    return [
        f"{'.'.join(path)}: {_shown(first)} there, {_shown(second)} asked for"
        for path, first, second in differences(one, other)
    ]


def _shown(value: Any) -> str:
    return json.dumps(value) if isinstance(value, list | dict) else shown(value)


def refused(folder: Path, lines: Sequence[str]) -> RunError:
    more = len(lines) - MOST_SHOWN
    rest = [f"  and {more} more"] if more > 0 else []
    listed = [f"  {line}" for line in lines[:MOST_SHOWN]]
    return RunError(
        "\n".join(
            [
                f"{folder} holds another training:",
                *listed,
                *rest,
                "ask for the same to go on with it, or name another folder with -o",
            ]
        )
    )


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What is known of an epoch; of one that was interrupted, of its images since then.

    Args:
        epoch: its number, from 1.
        values: metric to its value on validation images.
        loss: mean over the images of its steps; None where a process died before it was kept.
        seconds: of training and validation.
        images_per_second: of training alone.
        memory_mib: the most that the process held so far, of the GPU where one trains.
    """

    epoch: int
    values: Mapping[str, float]
    loss: float | None = None
    seconds: float | None = None
    images_per_second: float | None = None
    memory_mib: float | None = None

    def row(self) -> dict[str, Any]:
        """Its cells by column."""
        own = {name: value for name, value in vars(self).items() if name != "values"}
        return {"epoch": own.pop("epoch"), "loss": own.pop("loss"), **self.values, **own}


def write_epochs(path: Path, epochs: Sequence[Epoch]) -> None:
    """Write the table of all epochs, whole.

    Raises:
        WriteError: it cannot be written.
    """
    rows = [each.row() for each in epochs]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    write_whole(path, text.getvalue())


def _cell(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def read_epochs(path: Path) -> dict[int, Epoch]:
    """The epochs of a table, by number; what cannot be read is not among them."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    found = {}
    own = [name for name in Epoch.__dataclass_fields__ if name not in ("epoch", "values")]
    for row in csv.DictReader(lines):
        cells = {
            name: float(text)
            for name, text in row.items()
            if isinstance(text, str) and re.fullmatch(r"-?\d[\d.e+-]*", text)
        }
        if "epoch" in cells:
            number = int(cells.pop("epoch"))
            figures = {name: cells.pop(name, None) for name in own}
            found[number] = Epoch(epoch=number, values=cells, **figures)
    return found
