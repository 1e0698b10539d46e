"""A disk or a file that fails `archdsl search`: one clear message, status 2, nothing damaged."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import archdsl
from archdsl.cli.main import app
from archdsl.store import location
from archdsl.store.store import open_store

ASSETS = Path(__file__).parents[1] / "store/assets"
Refused = Callable[..., str]


@pytest.fixture
def search(tabular: Path) -> Callable[..., Any]:
    """Runs `archdsl search study.yaml`, in this process."""

    def ran(db: str, *, trials: int = 6) -> Any:
        return CliRunner().invoke(
            app, ["search", "study.yaml", "--db", db, "--trials", str(trials), "--json"]
        )

    return ran


@pytest.fixture
def refused(search: Callable[..., Any]) -> Refused:
    """The one message of a search that must be refused and must not touch the database's folder."""

    def message(db: str) -> str:
        before = contents(Path(db).parent)
        done = search(db)
        assert done.exit_code == 2, done.output
        assert "Traceback" not in done.output
        assert contents(Path(db).parent) == before
        lines: list[str] = [
            line for line in done.stderr.splitlines() if line.startswith("archdsl: ")
        ]
        assert len(lines) == 1, done.stderr
        assert done.stdout == ""
        return lines[0]

    return message


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        # Whoever opens a database makes the index of its log anew, and an empty log.
        if path.is_file() and not path.name.endswith("-shm") and path.stat().st_size
    }


@pytest.fixture
def place(folder: Path) -> Path:
    """A folder for nothing but the database."""
    made = folder / "place"
    made.mkdir()
    return made


@pytest.fixture
def begun(place: Path, search: Callable[..., Any]) -> Path:
    """A database with four of six trials."""
    path = place / "a.db"
    assert search(str(path), trials=4).exit_code == 0
    return path


def test_a_database_cut_short(begun: Path, refused: Refused) -> None:
    begun.write_bytes(begun.read_bytes()[: begun.stat().st_size // 2])
    assert "damaged or cut short" in refused(str(begun))


def test_a_later_schema(begun: Path, refused: Refused) -> None:
    connection = sqlite3.connect(begun)
    connection.execute("UPDATE archdsl_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    assert "has schema 9999, later than this archdsl's" in refused(str(begun))


def test_a_network_file_system(
    begun: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    mounts = folder / "mounts"
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/x {begun.parent} nfs4 rw 0 0\n")
    known = location.network_mount
    monkeypatch.setattr(location, "network_mount", lambda place: known(place, mounts))
    assert "is on a network file system (nfs4, mounted at" in refused(str(begun))
    assert "a local disk" in refused(str(begun.with_name("new.db")))


@pytest.mark.slow
def test_a_log_cut_short_costs_its_last_commits_alone(
    begun: Path, search: Callable[..., Any], place: Path
) -> None:
    """The search goes on from what is left, and ends as if it had never been cut."""
    copy = place / "copy.db"
    with open_store(str(begun)) as store:
        # While it is open, what is committed now stands in the log alone.
        store.studies.ensure(
            name="later", document={"evaluate": {}}, objectives={"top1": "maximize"}
        )
        shutil.copy(begun, copy)
        log = Path(f"{begun}-wal").read_bytes()
    Path(f"{copy}-wal").write_bytes(log[: len(log) - 100])
    for path in (begun, copy):
        assert search(str(path)).exit_code == 0
    with open_store(str(begun)) as whole, open_store(str(copy)) as cut:
        assert {study.name for study in whole.studies.all()} == {"tabular", "later"}
        assert {study.name for study in cut.studies.all()} == {"tabular"}
        expected, found = (
            [(trial.arch_id, trial.state, trial.values) for trial in store.trials.all(1)]
            for store in (whole, cut)
        )
        assert found == expected


@pytest.mark.parametrize("asset", sorted(path.name for path in ASSETS.glob("schema-*.db")))
def test_a_database_of_every_schema_is_upgraded_and_searched_with(
    asset: str, place: Path, search: Callable[..., Any]
) -> None:
    path = shutil.copy(ASSETS / asset, place / "old.db")
    done = search(str(path))
    assert done.exit_code == 0, done.output
    with open_store(str(path)) as store:
        assert [study.name for study in store.studies.all()] == ["digits", "tabular"]
        assert store.trials.count(store.studies.find("tabular").id).counted == 6
        assert len(store.trials.all(store.studies.find("digits").id)) == 5, (
            "what was there is there"
        )


PROGRAM = """
import resource, sys
from archdsl.cli.main import app_main
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
app_main()
"""


@pytest.mark.slow
def test_a_file_that_may_not_grow(tabular: Path, search: Callable[..., Any], place: Path) -> None:
    """The limit on the size of files stops writing in the midst of a transaction."""
    path = place / "a.db"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(200_000), "search", "study.yaml", "--db", str(path)],
        env={**os.environ, "PYTHONPATH": str(Path(archdsl.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "what was committed is safe" in done.stderr
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    assert search(str(path)).exit_code == 0
    with open_store(str(path)) as store:
        assert store.trials.count(store.studies.find("tabular").id).counted == 6


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that an ordinary account can reach, as pytest's own folders are private."""
    made = Path(tempfile.mkdtemp(prefix="archdsl-crash-"))
    made.chmod(0o777)
    yield made
    shutil.rmtree(made)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "setresuid"), reason="permissions are another matter here")
def test_a_read_only_folder(
    begun: Path, public_folder: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = public_folder / "locked"
    locked.mkdir()
    path = shutil.copy(begun, locked / "a.db")
    for name in ("study.yaml", "values.csv"):
        shutil.copy(name, public_folder)
    monkeypatch.chdir(public_folder)
    locked.chmod(0o555)
    root = os.geteuid() == 0
    if root:  # permissions do not bind root, who steps down for a while
        os.setresuid(65534, 65534, 0)
    try:
        assert f"{locked} is read-only" in refused(str(path))
        assert f"{locked} is read-only" in refused(str(locked / "new.db"))
    finally:
        if root:
            os.setresuid(0, 0, 0)


def test_a_line_break_in_a_name_ends_no_line(run: Any, folder: Path) -> None:
    for words in (["front", "--db", "two\nlines.db"], ["data", "folder:two\nlines"]):
        told = run(*words, code=2, fresh=True).err
        assert "two\N{REPLACEMENT CHARACTER}lines" in told
        assert told.count("\n") == 1
