"""A database that is taken away while it is open: what it held is saved, nothing else harmed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from archdsl.errors import StoreError
from archdsl.store.store import Store, open_store

OBJECTIVES = {"top1": "maximize"}


def remove(path: Path) -> None:
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()


def replace(path: Path) -> None:
    path.with_name("other.db").rename(path)


def move(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def remove_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


TAKEN = {
    "removed": (remove, "removed or moved"),
    "replaced": (replace, "another file was put in its place"),
    "moved": (move, "removed or moved"),
    "folder moved": (move_folder, "removed or moved"),
    "log removed": (remove_log, r"its log \(-wal\) was removed"),
}


def names(store: Store) -> list[str]:
    return [study.name for study in store.studies.all()]


@pytest.mark.parametrize(("take", "message"), TAKEN.values(), ids=TAKEN)
def test_all_that_was_committed_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, take: Callable[[Path], None], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "place"
    folder.mkdir()
    path, other = folder / "a.db", folder / "other.db"
    with open_store(str(other)) as store:
        store.studies.ensure(name="theirs", document={}, objectives=OBJECTIVES)
    before = other.read_bytes()
    with pytest.raises(StoreError, match=message) as caught, open_store(str(path)) as store:
        store.studies.ensure(name="first", document={}, objectives=OBJECTIVES)
        take(path)
        with pytest.raises(StoreError, match=message):
            store.studies.ensure(name="second", document={}, objectives=OBJECTIVES)
        with pytest.raises(StoreError, match=message):
            store.studies.all()
    found = re.search(r"--db (\S+)", str(caught.value))
    assert found
    with open_store(found[1], create=False) as store:
        assert names(store) == ["first", "second"]
    if take is replace:
        assert path.read_bytes() == before
        with open_store(str(path), create=False) as store:
            assert names(store) == ["theirs"]


def test_what_is_saved_replaces_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        with (
            pytest.raises(StoreError, match="saved in"),
            open_store(str(tmp_path / "a.db")) as store,
        ):
            store.studies.ensure(name="first", document={}, objectives=OBJECTIVES)
            remove(tmp_path / "a.db")
    assert {path.name for path in tmp_path.iterdir()} >= {"a-saved-1.db", "a-saved-2.db"}
