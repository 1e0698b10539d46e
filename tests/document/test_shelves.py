"""A document is found by path, in the current folder, or on the packaged shelf, in this order."""

from __future__ import annotations

from pathlib import Path

import pytest

from archdsl.document.shelves import SHELVES, documents, find, names, packaged
from archdsl.errors import NameNotFoundError


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_nearer_documents_win() -> None:
    shelf = packaged("specs") / "vit-b-16.yaml"
    assert find("vit-b-16", "specs") == shelf
    Path("specs").mkdir()
    Path("specs/vit-b-16.yaml").touch()
    assert find("vit-b-16", "specs") == Path("specs/vit-b-16.yaml")
    Path("vit-b-16.yml").touch()
    assert find("vit-b-16", "specs") == Path("vit-b-16.yml")
    assert find(str(shelf), "specs") == shelf


def test_a_name_is_looked_for_on_its_own_shelf_only() -> None:
    with pytest.raises(NameNotFoundError, match=r"nor on the search/ shelf; known names: "):
        find("vit-b-16", "search")


def test_a_misspelt_name_gets_the_nearest_one() -> None:
    with pytest.raises(NameNotFoundError, match="did you mean 'vittm-b-28-28'"):
        find("vitm-b-28-28", "specs")


@pytest.mark.parametrize("name", ["missing.yaml", "folder/missing", "./missing"])
def test_a_path_is_not_looked_for_on_shelves(name: str) -> None:
    with pytest.raises(NameNotFoundError, match="does not exist"):
        find(name, "specs")


def test_a_folder_is_no_document() -> None:
    Path("models.yaml").mkdir()
    with pytest.raises(NameNotFoundError, match="is a folder, not a document"):
        find("models.yaml", "specs")


@pytest.mark.parametrize("shelf", SHELVES)
def test_every_shelf_has_documents(shelf: str) -> None:
    [known] = [names(each) for each in SHELVES if each == shelf]
    assert known == sorted(known)
    assert known


def test_a_folder_that_is_not_there_has_no_documents() -> None:
    assert documents(Path("nowhere")) == []
