"""A search whose database is taken away stops, and goes on from what was saved."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import archdsl
from archdsl.errors import StoreError
from archdsl.records import Job, Outcome
from archdsl.searching.read import CheckedStudy

SPACE = "depth: {range: [1, 3]}"


def remove(path: Path) -> None:
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()


def replace(path: Path) -> None:
    path.with_name("other.db").rename(path)


class Taking:
    """Takes the database away after the second trial."""

    def __init__(self, take: Callable[[], object]) -> None:
        self._take, self.ended = take, 0

    def on_start(self, job: Job) -> None:
        """Nothing."""

    def on_epoch(self, job: Job, epoch: int, name: str, value: float) -> None:
        """Nothing."""

    def on_end(self, job: Job, outcome: Outcome) -> None:
        self.ended += 1
        if self.ended == 2:
            self._take()


@pytest.mark.parametrize("take", [remove, replace])
def test_a_search_goes_on_from_what_was_saved(
    folder: Path,
    study: Callable[..., CheckedStudy],
    write_values: Callable[[CheckedStudy], None],
    take: Callable[[Path], None],
) -> None:
    checked = study(SPACE, trials=3)
    write_values(checked)
    archdsl.search(checked, db="other.db", trials=1)
    theirs = shutil.copy("other.db", "copy.db")
    path, watching = folder / "a.db", Taking(lambda: take(folder / "a.db"))
    with pytest.raises(StoreError, match="saved in"):
        archdsl.search(checked, db=str(path), observer=watching)
    assert watching.ended == 2
    assert path.exists() == (take is replace)
    if take is replace:
        assert path.read_bytes() == Path(theirs).read_bytes()
    done = archdsl.search(checked, db=str(folder / "a-saved-1.db"))
    assert done.ran == 1
