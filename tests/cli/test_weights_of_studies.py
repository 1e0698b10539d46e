"""Weights go with their database: found where it is moved, and never deleted under another one."""

from __future__ import annotations

import lzma
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import archdsl
from tests.cli.conftest import SEARCHED, unpack_trained_study

Run = Callable[..., Any]


@pytest.fixture
def home(folder: Path, run: Run) -> Path:
    """The folder of a search that trained three networks, the database naming their full paths."""
    home = folder / "home"
    home.mkdir()
    unpack_trained_study(home)
    update = "UPDATE measurements SET detail = replace(detail, 'archdsl-files', ?)"
    with closing(sqlite3.connect(home / "archdsl.db")) as connection, connection:
        connection.execute(update, [str(home / "archdsl-files")])
    return home


def weights(folder: Path) -> list[Path]:
    return sorted(folder.rglob("weights.safetensors"))


def delete(run: Run, db: Path) -> Any:
    """Delete the study with its weights; the names of files that went, and why others stayed."""
    options = ("--db", str(db), "--yes", "--weights", "--json")
    (study,) = run("studies", "--db", str(db), "--json").json()["studies"]
    done = run("studies", "delete", study["study"], *options).json()
    reasons = {each["why"] for each in done["weights_left"]}
    assert len(reasons) <= 1
    return done["weights"], reasons.pop() if reasons else None


def loads(db: Path) -> bool:
    return all(row.model() is not None for row in archdsl.front(str(db)))


def test_a_copied_folder_deletes_its_own(home: Path, folder: Path, run: Run) -> None:
    copied = folder / "copied"
    shutil.copytree(home, copied)
    mine = weights(copied)
    removed, why = delete(run, copied / "archdsl.db")
    assert (sorted(removed), why) == ([str(each) for each in mine], None)
    assert list((copied / "archdsl-files").iterdir()) == []
    assert len(weights(home)) == 3


@pytest.mark.parametrize("named", ["absolute", "relative"])
def test_a_moved_folder_finds_its_weights(home: Path, folder: Path, run: Run, named: str) -> None:
    if named == "relative":  # as measurements of before have it, and not from here
        database = lzma.decompress((SEARCHED / "store.sqlite.xz").read_bytes())
        (home / "archdsl.db").write_bytes(database)
    moved = folder / "moved"
    home.rename(moved)
    assert loads(moved / "archdsl.db")
    removed, _ = delete(run, moved / "archdsl.db")
    assert len(removed) == 3


def test_a_database_alone_deletes_nothing_elsewhere(home: Path, folder: Path, run: Run) -> None:
    alone = folder / "alone.db"  # the trainings lie below its folder, and are not its own
    shutil.copy(home / "archdsl.db", alone)
    assert loads(alone)
    assert delete(run, alone) == ([], "outside of the database's folder")
    assert len(weights(home)) == 3


def test_trainings_that_a_link_leads_to_are_elsewhere(home: Path, folder: Path, run: Run) -> None:
    (home / "archdsl-files").rename(folder / "disk")
    (home / "archdsl-files").symlink_to(folder / "disk")
    assert delete(run, home / "archdsl.db") == ([], "outside of the database's folder")
    assert len(weights(folder / "disk")) == 3


@pytest.mark.parametrize("answer", ["y", "n"])
def test_of_weights_elsewhere_it_is_asked(home: Path, folder: Path, answer: str) -> None:
    shutil.copy(home / "archdsl.db", folder / "alone.db")
    study = archdsl.front("alone.db").study
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "archdsl",
            "studies",
            "delete",
            study,
            "--weights",
            "--db",
            "alone.db",
        ],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as command:
        os.write(ours, f"y\n{answer}\n".encode())
        out, err = command.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert f"outside of the database's folder, in {home}/archdsl-files" in err.decode()
    assert len(weights(home)) == (0 if answer == "y" else 3)
    assert (f"rm -r {home}/archdsl-files/" in out.decode()) is (answer == "n")


def test_two_databases_of_a_folder_share_their_trainings(home: Path, run: Run) -> None:
    other = home / "other.db"
    shutil.copy(home / "archdsl.db", other)
    assert delete(run, other) == ([], f"that {home}/archdsl.db stands on")
    assert loads(home / "archdsl.db")
    removed, _ = delete(run, home / "archdsl.db")
    assert len(removed) == 3, "the last one takes them along"


def test_a_copied_study_leaves_the_weights_to_the_original(
    home: Path, folder: Path, run: Run
) -> None:
    first = home / "archdsl.db"
    study = archdsl.front(str(first)).study

    def copy(source: Path, target: Path) -> str:
        copied = run("studies", "copy", study, "--db", str(source), "--to", str(target))
        return str(copied.err)

    home.rename(folder / "later")  # the copy names the place where they are found
    first = folder / "later" / "archdsl.db"
    second, third = folder / "second.db", folder / "third" / "third.db"
    third.parent.mkdir()
    assert "trained weights stay where they are, and are shared" in copy(first, second)
    copy(second, third)
    assert loads(third)
    assert delete(run, second) == ([], f"that {first} stands on")
    assert delete(run, third) == ([], f"that {first} stands on")
    assert loads(first)

    copy(first, second)
    run("studies", "delete", study, "--db", str(first), "--yes")
    copy(second, first)
    run("studies", "delete", study, "--db", str(second), "--yes")
    removed, _ = delete(run, first)
    assert len(removed) == 3, "what is copied back is the original's again"


def test_a_copy_outlives_its_original(home: Path, folder: Path, run: Run) -> None:
    study = archdsl.front(str(home / "archdsl.db")).study
    run("studies", "copy", study, "--db", str(home / "archdsl.db"), "--to", "kept.db")
    (home / "archdsl.db").unlink()
    assert loads(folder / "kept.db")
    told = run("studies", "delete", study, "--db", "kept.db", "--yes", "--weights").out
    assert f"that {home}/archdsl.db stands on; once nothing needs them: rm -r {home}/" in told
    assert len(weights(home)) == 3


def test_checkpoints_of_trainings_that_never_ended_go_along(home: Path, run: Run) -> None:
    measured = weights(home)[0]
    broken = measured.parents[1].with_name(f"{measured.parents[1].name.partition('-')[0]}-ffff")
    foreign = home / "archdsl-files" / "0123456789abcdef-ffff"
    for each in (broken, foreign):
        (each / "seed-0").mkdir(parents=True)
        (each / "seed-0" / "checkpoint.pt").write_bytes(b"half a training")
    removed, _ = delete(run, home / "archdsl.db")
    assert str(broken / "seed-0" / "checkpoint.pt") in removed
    assert len(removed) == 4
    assert not broken.exists()
    assert (foreign / "seed-0" / "checkpoint.pt").exists()
