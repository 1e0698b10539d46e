"""A document is found by path, in the current folder, or on the packaged shelf, in this order."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from archdsl.document.shelves import SHELVES, documents, find, names, packaged
from archdsl.document.text import read_file
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
        find("sand", "search")


def test_a_name_on_another_shelf_is_told() -> None:
    with pytest.raises(NameNotFoundError, match="'vit-b-16' is a model, and a study is wanted"):
        find("vit-b-16", "search")
    with pytest.raises(NameNotFoundError, match="'digits' is a study, and a model is wanted"):
        find("digits", "specs")


def test_a_misspelt_name_gets_the_nearest_one() -> None:
    with pytest.raises(NameNotFoundError, match="did you mean 'vittm-b-28-28'"):
        find("vitm-b-28-28", "specs")


@pytest.mark.parametrize("name", ["missing.yaml", "folder/missing", "./missing"])
def test_a_path_is_not_looked_for_on_shelves(name: str) -> None:
    with pytest.raises(NameNotFoundError, match="does not exist"):
        find(name, "specs")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("VITTM-Digit", "vittm-digits"),
        ("specs/vittm-digit.yaml", "vittm-digits"),
        ("Mein", "mine"),
        ("sub/mein.yaml", "sub/mine.yml"),
    ],
)
def test_names_near_in_any_spelling(name: str, meant: str) -> None:
    Path("sub").mkdir()
    for path in (Path("mine.yaml"), Path("sub/mine.yml")):
        path.touch()
    with pytest.raises(NameNotFoundError, match=f"did you mean '{meant}'"):
        find(name, "specs")


def test_a_pipe_is_a_document_and_may_be_looked_at_twice() -> None:
    os.mkfifo("pipe")
    with ThreadPoolExecutor(1) as writer:
        writer.submit(Path("pipe").write_text, "a: 1\n")
        path = find("pipe", "specs")
        assert read_file(path).plain() == read_file(path).plain() == {"a": 1}


def test_what_exists_but_leads_nowhere_is_told() -> None:
    Path("loop").symlink_to("loop")
    Path("gone.yaml").symlink_to("nowhere")
    Path("file").touch()
    for name, message in (
        ("loop", "loop cannot be read: too many levels of symbolic links"),
        ("gone.yaml", "gone.yaml is a link to nowhere, which does not exist"),
        ("file/x.yaml", "file/x.yaml does not exist"),
        ("two\nlines.yaml", "two\N{REPLACEMENT CHARACTER}lines.yaml does not exist"),
        ("two\nlines", "no document 'two\N{REPLACEMENT CHARACTER}lines'"),
        (f"{'x' * 300}.yaml", "cannot be read: file name too long"),
    ):
        with pytest.raises(NameNotFoundError, match=message):
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
