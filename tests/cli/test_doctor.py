"""`archdsl doctor`: fine here; a remedy where something is missing."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import archdsl
from tests.fixtures.data import ALLOWED

Run = Callable[..., Any]
PROFILE = """\
archdsl: 1
kind: runner
name: other
executor: local
data: {flowers: 'folder:gone'}
storage: shelf://nowhere/files
"""
DRIVERS = Path(__file__).parents[1] / "drivers"
PATHS = {"PYTHONPATH": f"{DRIVERS}:{Path(archdsl.__file__).parents[1]}"}
"""With the driver of `shelf://`, whose buckets are folders of the current folder."""


def test_all_is_well(run: Run, searched: Any) -> None:
    found = run("doctor", "--runner", "local", "--json").json()
    assert found["ok"]
    names = {finding["name"] for finding in found["findings"]}
    assert {"python", "torch", "timm", "cpu", "gpus", "specs/", "search/", "store"} <= names
    assert {"slots", "training", "storage"} <= names


def test_what_is_missing_has_a_remedy(run: Run, folder: Path) -> None:
    (folder / "other.yaml").write_text(PROFILE)
    (folder / "archdsl.db").write_text("no database\n" * 100)
    (folder / "modules").mkdir()
    (folder / "modules" / "timm.py").write_text("raise RuntimeError('operator nms does not exist')")
    env = {"PYTHONPATH": f"{folder / 'modules'}:{PATHS['PYTHONPATH']}"}
    lines = run("doctor", "--runner", "other", code=1, env=env).out.splitlines()
    bad = [line.removeprefix("BAD  ") for line in lines if line.startswith("BAD")]
    remedies = [line for line in lines if line.strip().startswith("remedy: ")]
    names = ("import timm", "storage", "data flowers", "store")
    assert len(bad) == len(remedies) == len(names)
    for line, name in zip(bad, names, strict=True):
        assert line.startswith(name)
    assert "operator nms does not exist" in bad[0]
    assert "cannot write shelf://nowhere/files/" in bad[1]


LOCAL = """\
archdsl: 1
kind: runner
name: many
executor: local
workers: 3
training: {{device: {device}}}
storage: {storage}
data: {{small: digits, mine: 'npz:gone.npz', other: 'foo:bar'}}
"""


@pytest.mark.parametrize("storage", ["new/folder", "file/inside"])
def test_this_machine_is_looked_at_line_by_line(run: Run, folder: Path, storage: str) -> None:
    """A storage that cannot be written hides nothing of the data."""
    (folder / "file").write_text("")
    (folder / "many.yaml").write_text(LOCAL.format(device="cpu", storage=storage))
    done = run("doctor", "--runner", "many", "--json", code=1)
    found = {finding["name"]: finding for finding in done.json()["findings"]}
    assert found["slots"]["found"] == "3 trainings at once; latency in each slot, under its lock"
    assert found["training"]["found"] == "on cpu"
    assert found["data small"]["ok"]
    bad = [name for name, finding in found.items() if not finding["ok"]]
    if storage == "new/folder":
        assert found["storage"]["found"] == "new/folder can be written"
        assert bad == ["data mine", "data other"]
    else:
        place = folder / "file" / "inside"
        assert found["storage"]["found"].startswith(f"cannot write {place}: not a directory;")
        assert bad == ["storage", "data mine", "data other"]
    assert "gone.npz" in found["data mine"]["found"]
    # Names stand for no other names.
    assert found["data other"]["found"].endswith(f"allowed are {ALLOWED}")
    assert all(found[name]["remedy"] for name in bad)
    assert not (folder / "new").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_device_to_train_on_that_is_not_here(run: Run, folder: Path) -> None:
    (folder / "gpu.yaml").write_text(LOCAL.format(device="cuda", storage="files"))
    lines = run("doctor", "--runner", "gpu", code=1).out.splitlines()
    (bad,) = (number for number, line in enumerate(lines) if line.startswith("BAD  training "))
    assert "the run profile 'many' asks for training on cuda, but " in lines[bad]
    assert lines[bad + 1].endswith(
        "remedy: change training.device in the run profile to what there is"
    )


def test_without_torch_it_still_answers(run: Run, folder: Path) -> None:
    (folder / "torch.py").write_text("raise ImportError('libcudart.so is missing')")
    root = Path(archdsl.__file__).parents[1]
    done = run("doctor", "--json", code=1, env={"PYTHONPATH": f"{folder}:{root}"})
    bad = {finding["name"] for finding in done.json()["findings"] if not finding["ok"]}
    assert "import torch" in bad


@pytest.mark.parametrize(
    ("db", "code", "told", "remedy"),
    [
        ("sqlite:///x.db", 0, "no sqlite:///x.db yet; search makes it", ""),
        ("no/x.db", 1, "there is no folder ", "name a file in a folder that is there"),
        (".", 1, " is a folder; a database is a file: try --db ", "name a file in a folder"),
    ],
)
def test_what_is_said_of_a_store_that_is_not_there(
    *, run: Run, folder: Path, db: str, code: int, told: str, remedy: str
) -> None:
    done = run("doctor", "--db", db, "--json", code=code)
    (store,) = (finding for finding in done.json()["findings"] if finding["name"] == "store")
    assert told in store["found"]
    assert store["remedy"].startswith(remedy) and bool(store["remedy"]) is bool(remedy)
    assert list(folder.iterdir()) == []


CLUSTER = """\
archdsl: 1
kind: runner
name: cluster
executor: ray
training: {cpus: 1, gpus: 1}
data: {flowers: 'folder:gone', small: digits}
storage: shelf://bucket/files
"""


@pytest.mark.slow
def test_a_cluster_is_looked_at_line_by_line(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where temporary files have a path too long for Ray's sockets, those are elsewhere."""
    pytest.importorskip("ray.tune", reason="an extra")
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    (folder / "cluster.yaml").write_text(CLUSTER)
    (folder / "bucket").mkdir()
    long = folder / ("a" * 120)
    long.mkdir()
    env = {**PATHS, "TMPDIR": str(long)}
    done = run("doctor", "--runner", "cluster", "--json", code=1, env=env)
    found = {finding["name"]: finding for finding in done.json()["findings"]}
    words = {name.split()[0] for name in found}
    assert {"machine", "clock", "storage", "slots", "data"} <= words
    bad = {name: finding for name, finding in found.items() if not finding["ok"]}
    assert "no machine has that; there is: " in bad.pop("slots")["found"]
    ((name, data),) = bad.items()
    assert name.startswith("data flowers, ") and "no such folder" in data["found"]
    assert all(finding["remedy"] for finding in (*bad.values(), data))


def test_a_cluster_that_is_not_there_is_told_with_a_remedy(run: Run, folder: Path) -> None:
    pytest.importorskip("ray.tune", reason="an extra")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    (folder / "away.yaml").write_text(f"{CLUSTER}address: 127.0.0.1:{port}\n")
    out = run("doctor", "--runner", "away", code=1, env=PATHS).out
    assert f"BAD  ray           nothing answers at 127.0.0.1:{port} (" in out


@pytest.mark.slow
def test_a_folder_that_is_too_long_for_sockets_is_named(run: Run, folder: Path) -> None:
    pytest.importorskip("ray.tune", reason="an extra")
    long = str(folder / ("a" * 120))
    out = run("doctor", "--runner", "ray-local", code=1, env={"RAY_TMPDIR": long}).out
    assert "cannot start Ray here: RAY_TMPDIR is too long for the sockets that Ray keeps" in out
    assert f"({long}; " in out and "set RAY_TMPDIR to a short folder" in out
