"""Files are never lost unasked, and their names never lead elsewhere."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archdsl.cli.writing import safe_stem
from archdsl.document.shelves import packaged

Run = Callable[..., Any]
WORDS = {
    "study": ["search", "study.yaml", "--dry-run", "-o", "out.yaml"],
    "trial": ["export", "3", "-o", "out.yaml"],
    "front": ["export", "--front", "-o", "out"],
    "model": ["compile", "vittm-digits", "-o", "out"],
}


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("out*/**/*") if path.is_file()} | {
        path: path.read_bytes() for path in folder.glob("out*") if path.is_file()
    }


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_what_is_there_is_kept(run: Run, searched: Any, folder: Path, words: list[str]) -> None:
    run(*words)
    written = contents(folder)
    assert written
    run(*words)  # the same content is no loss
    for path in written:
        path.write_text("# mine\n")
    done = run(*words, code=2)
    assert all(str(path.relative_to(folder)) in done.err for path in written)
    assert "--force" in done.err
    assert set(contents(folder).values()) == {b"# mine\n"}, "not one of them is replaced"
    assert contents(folder).keys() == written.keys(), "nothing else is left"
    run(*words, "--force")
    assert contents(folder) == written


def test_a_study_is_not_written_over_itself(run: Run, tabular: Path) -> None:
    before = tabular.read_text()
    done = run("search", "study.yaml", "--dry-run", "-o", "study.yaml", code=2)
    assert "cannot write 'study.yaml': it is the document study.yaml" in done.err
    assert tabular.read_text() == before


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["export", "--csv", "archdsl.db"], "the database"),
        (["export", "--optuna", "./archdsl.db", "--csv", "new.csv"], "the database"),
        (["export", "--parquet", "linked.db"], "the database"),
        (["export", "1", "-o", "second-name.db"], "the database"),
        (["export", "1", "-o", "archdsl.db-wal"], "part of the database"),
        (["export", "1", "-o", "archdsl.db-journal"], "part of the database"),
        (["report", "-o", "archdsl.db"], "the database"),
        (["export", "--front", "--db", "tabular-0.yaml", "-o", "."], "the database"),
        (["front", "--db", "front.svg", "--plot", "front.svg"], "the database"),
        (["search", "study.yaml", "--db", "tabular-front.png"], "the database"),
        (["search", "study.yaml", "--dry-run", "-o", "archdsl.db"], "the database"),
        (["search", "study.yaml", "--dry-run", "-o", "values.csv"], "the table"),
        (["search", "study.yaml", "--dry-run", "-o", "base.yaml"], "the document"),
        (["compile", "spec.yaml", "-o", "."], "the document"),
        (["show", "spec.svg", "--diagram", "spec.svg"], "the document"),
        (["export", "--csv", "new", "--parquet", "./new"], "another output"),
        (["front", "--plot", "new.svg", "--plot", "./new.svg"], "another output"),
        (["studies", "copy", "tabular", "--to", "second-name.db"], "the database"),
        (["studies", "copy", "tabular", "--to", "archdsl.db-wal"], "part of the database"),
    ],
)
def test_no_output_is_what_the_command_works_with(
    run: Run, searched: Any, folder: Path, words: list[str], kept: str
) -> None:
    """By whatever name, and forced to or not."""
    for copy in ("tabular-0.yaml", "front.svg", "tabular-front.png"):
        shutil.copy("archdsl.db", copy)
    (folder / "linked.db").symlink_to("archdsl.db")
    (folder / "second-name.db").hardlink_to("archdsl.db")
    for name in ("base.yaml", "spec.yaml", "spec.svg"):
        shutil.copy(packaged("specs") / "vittm-digits.yaml", name)
    document = (folder / "study.yaml").read_text()
    (folder / "study.yaml").write_text(document.replace("base: vittm-digits", "base: base"))
    before = {path: path.read_bytes() for path in folder.iterdir() if path.stat().st_size}
    for force in ([], ["--force"]):
        if force and words[0] == "studies":
            continue
        done = run(*words, *force, code=2)
        assert f"is {kept}" in done.err
        after = {path: path.read_bytes() for path in folder.iterdir() if path.stat().st_size}
        assert {path: after.get(path) for path in before} == before
        assert {path.name.endswith(("-shm", "-wal")) for path in after.keys() - before} <= {True}


def test_pipes_and_devices_are_no_files(run: Run, tabular: Path, folder: Path) -> None:
    """A rename would put a file in their place."""
    os.mkfifo(folder / "pipe")
    done = run("search", "study.yaml", "--dry-run", "-o", "pipe", "--force", code=2)
    assert "it is a device or a pipe; name a file" in done.err
    assert (folder / "pipe").is_fifo()


def test_either_one_or_the_front(run: Run, searched: Any) -> None:
    assert "either '1' or --front, not both" in run("export", "1", "--front", code=2).err


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("digits", "digits"),
        ("vit-1.5_b", "vit-1.5_b"),
        ("größe", "größe"),
    ],
)
def test_names_of_files(name: str, stem: str) -> None:
    assert safe_stem(name) == stem


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("---evil", "evil"),
        ("../evil", "evil"),
        (".hidden", "hidden"),
        ("a b/c", "a-b-c"),
        ("..", "unnamed"),
        ("x" * 300, "x" * 80),
    ],
)
def test_names_that_no_file_can_have(name: str, stem: str) -> None:
    """Two of them never share a file."""
    found = safe_stem(name)
    assert found.rpartition("-")[0] == stem
    assert found != safe_stem(f"{name} ")


def test_plots_and_exports_are_named_alike(run: Run, tabular: Path, folder: Path) -> None:
    tabular.write_text(tabular.read_text().replace("name: tabular", "name: '../evil'"))
    run("search", "study.yaml")
    run("export", "--front", "-o", "found")
    assert [path.name.startswith("evil-") for path in folder.glob("*-front.png")] == [True]
    assert all(path.name.startswith("evil-") for path in (folder / "found").iterdir())


def test_pages_and_pictures_of_another_study_are_kept(
    run: Run, searched: Any, folder: Path
) -> None:
    run("studies", "copy", "tabular", "--to", "other.db")
    run("studies", "rename", "tabular", "other", "--db", "other.db")
    commands = {
        "report.html": ("report",),
        "front.svg": ("front", "--plot", "front.svg"),
        "front.png": ("front", "--plot", "front.png"),
        "front.html": ("front", "--plot", "front.html"),
    }
    for name, words in commands.items():
        run(*words)
        run(*words)  # an earlier one of the same study is replaced
        before = (folder / name).read_bytes()
        told = run(*words, "--db", "other.db", code=2).err
        assert f"{name} exists and holds something else; replace it with --force" in told
        assert (folder / name).read_bytes() == before
        run(*words, "--db", "other.db", "--force")
        assert (folder / name).read_bytes() != before
    of_before = (folder / "report.html").read_text().replace("drawn by archdsl of study", "x")
    (folder / "report.html").write_text(of_before.replace("<head>", "<head>drawn by archdsl", 1))
    run("report")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["front", "--db", "a.db", "--db=b.db"], "--db is given 2 times"),
        (["studies", "--db", "a.db", "--db", "b.db"], "--db is given 2 times"),
        (["studies", "delete", "x", "--db", "a", "--db", "b", "--yes"], "--db is given 2 times"),
        (["export", "0", "-o", "a", "--output", "b", "-o", "c"], "--output is given 3 times"),
        (["search", "--trials", "3", "--trials", "4"], "--trials is given 2 times"),
    ],
)
def test_an_option_of_one_value_is_given_once(run: Run, words: list[str], told: str) -> None:
    assert told in run(*words, code=2).err
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ["report", "-o", "-"],
        ["export", "0", "-o", "-"],
        ["export", "--front", "-o", "-"],
        ["export", "--csv", "-"],
        ["compile", "vittm-digits", "-o", "-"],
        ["search", "study.yaml", "-o", "-"],
        ["search", "study.yaml", "--dry-run", "-o", "-"],
        ["front", "--db", "-"],
        ["search", "study.yaml", "--db", "-"],
        ["search", "study.yaml", "--db", ":memory:"],
        ["studies", "copy", "tabular", "--to", "-"],
    ],
)
def test_a_dash_is_no_name_of_a_file(
    run: Run, searched: Any, folder: Path, words: list[str]
) -> None:
    before = set(folder.iterdir())
    told = run(*words, code=2).err
    assert "'-' names no file here; name one" in told or "no place to keep a database in" in told
    assert set(folder.iterdir()) == before


def test_what_is_endless_is_not_repeated_whole(run: Run, searched: Any) -> None:
    endless = "x" * 50_000
    commands = [
        ["front", "--study", endless],
        ["front", f"--{endless}"],
        ["check", endless],
    ]
    for words in commands:
        told = run(*words, code=2, fresh=True).err
        assert 0 < len(told) < 3000, words


def test_a_folder_that_cannot_be_written_names_no_option_that_is_not_there(
    run: Run, searched: Any
) -> None:
    told = run("export", "0", "-o", "no/such/file.yaml", code=2).err
    assert "see that its folder exists and can be written" in told
