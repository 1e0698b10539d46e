"""A disk that is full, or a folder that cannot be written: a clear end, and nothing is lost."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import archdsl
from archdsl.errors import WriteError
from archdsl.records import State
from archdsl.storage.storage import storage_at
from archdsl.store.store import open_store
from tests.cli.conftest import ARGUMENTS

Run = Callable[..., Any]
PROFILE = "archdsl: 1\nkind: runner\nname: small\nexecutor: local\nstorage: {storage}\n"


@pytest.fixture
def disk(folder: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    mount = folder / "disk"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(mount)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("mounting a small disk takes the rights of root")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def fill(disk: Path, *, leave_kb: int) -> Path:
    path = disk / "fill"
    path.write_bytes(b"\0" * (shutil.disk_usage(disk).free - leave_kb * 1024))
    return path


def test_a_full_disk_under_the_database(run: Run, tabular: Path, disk: Path) -> None:
    filled = fill(disk, leave_kb=250)
    done = run("search", "study.yaml", "--db", "disk/a.db", "--trials", "8", code=2)
    assert "the disk is full; what was committed is safe: make room, then run this" in done.err
    filled.unlink()
    assert run("search", "study.yaml", "--db", "disk/a.db", "--json").json()["complete"] == 6


@pytest.mark.slow
def test_a_full_disk_under_an_export(run: Run, disk: Path) -> None:
    fill(disk, leave_kb=300)
    done = run("export", "vittm-digits", "--to", "torch", "-o", "disk/out", code=2)
    assert "the disk is full" in done.err
    assert [each.name for each in disk.iterdir()] == ["fill"]


@pytest.mark.slow
def test_a_full_disk_under_the_weights_ends_the_search_not_the_budget(
    run: Run, folder: Path, disk: Path
) -> None:
    (folder / "small.yaml").write_text(PROFILE.format(storage="disk/files"))
    filled = fill(disk, leave_kb=300)
    words = [
        "search", "digits", "--runner", "small", "--trials", "1", "--objective", "top1",
        "--set", "evaluate.top1.epochs=1",
    ]  # fmt: skip
    done = run(*words, code=2)
    assert "the disk is full" in done.err
    with open_store("archdsl.db") as store:
        (trial,) = store.trials.all(store.studies.find("digits").id)
        assert trial.state is State.RUNNING, "to be gone on with"
    filled.unlink()
    assert run(*words, "--json").json()["complete"] == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("storage", "reason"),
    [("file/inside", "not a directory"), ("/proc/nope", "no such file or directory")],
)
def test_weights_that_can_be_stored_nowhere(
    run: Run, folder: Path, storage: str, reason: str
) -> None:
    (folder / "file").write_text("")
    (folder / "small.yaml").write_text(PROFILE.format(storage=storage))
    done = run("search", "digits", "--runner", "small", "--trials", "3", code=2)
    assert f"cannot write {folder / storage}: {reason}; " in done.err
    assert not (folder / "archdsl.db").exists(), "refused before a latency is measured"


def test_a_storage_that_can_be_written_is_left_as_it_was(folder: Path) -> None:
    storage_at("deep/down").check()
    assert not (folder / "deep").exists()
    (folder / "deep").mkdir()
    storage_at(f"file://{folder}/deep").check()
    assert list((folder / "deep").iterdir()) == []
    (folder / "away").symlink_to("nowhere")
    with pytest.raises(WriteError, match=rf"cannot write {folder}/away: no such file or directory"):
        storage_at("away").check()


@pytest.mark.slow
def test_weights_at_a_url(run: Run, folder: Path) -> None:
    (folder / "small.yaml").write_text(PROFILE.format(storage="shelf://bucket/files"))
    drivers = Path(__file__).parents[1] / "drivers"
    (folder / "bucket").mkdir()
    done = run(
        "search", "digits", "--runner", "small", "--trials", "1", "--objective", "top1",
        "--set", "evaluate.top1.epochs=2", "--json",
        env={"PYTHONPATH": f"{drivers}:{Path(archdsl.__file__).parents[1]}"},
    )  # fmt: skip
    (member,) = done.json()["members"]
    assert member["test_top1"] > 0, "scored with the weights from there"
    (weights,) = (path for path in folder.glob("bucket/files/**/*") if path.is_file())
    assert weights.name == "weights.safetensors"
    assert not (folder / "archdsl-files").exists()


def test_a_full_disk_under_a_training_leaves_its_last_checkpoint(run: Run, disk: Path) -> None:
    words = (*ARGUMENTS, "--epochs", "3", "-o", "disk/run", "--json")
    filled = fill(disk, leave_kb=1000)  # for one checkpoint, not for another beside it
    done = run(*words, code=2)
    assert "checkpoint.pt: the disk is full; make room there and run again" in done.err
    assert Path("disk/run/checkpoint.pt").stat().st_size > 500_000
    assert len(Path("disk/run/epochs.csv").read_text().splitlines()) == 2
    filled.unlink()
    undisturbed = run(*words[:-2], "run", "--json").json()
    assert run(*words).json()["scores"] == undisturbed["scores"]
