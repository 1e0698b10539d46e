"""`archdsl doctor`: fine here; a remedy where something is missing."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import archdsl

Run = Callable[..., Any]
PROFILE = "archdsl: 1\nkind: runner\nname: other\nexecutor: local\ndata: {flowers: 'folder:gone'}\n"


def test_all_is_well(run: Run, searched: Any) -> None:
    found = run("doctor", "--runner", "local", "--json").json()
    assert found["ok"]
    names = {finding["name"] for finding in found["findings"]}
    assert {"python", "torch", "timm", "cpu", "gpus", "specs/", "search/", "store"} <= names


def test_what_is_missing_has_a_remedy(run: Run, folder: Path) -> None:
    (folder / "other.yaml").write_text(PROFILE)
    (folder / "archdsl.db").write_text("no database\n" * 100)
    (folder / "modules").mkdir()
    (folder / "modules" / "timm.py").write_text("raise RuntimeError('operator nms does not exist')")
    root = Path(archdsl.__file__).parents[1]
    env = {"PYTHONPATH": f"{folder / 'modules'}:{root}"}
    lines = run("doctor", "--runner", "other", code=1, env=env).out.splitlines()
    bad = [line.removeprefix("BAD  ") for line in lines if line.startswith("BAD")]
    remedies = [line for line in lines if line.strip().startswith("remedy: ")]
    assert len(bad) == len(remedies) == 3
    for line, name in zip(bad, ("import timm", "data flowers", "store"), strict=True):
        assert line.startswith(name)
    assert "operator nms does not exist" in bad[0]


def test_without_torch_it_still_answers(run: Run, folder: Path) -> None:
    (folder / "torch.py").write_text("raise ImportError('libcudart.so is missing')")
    root = Path(archdsl.__file__).parents[1]
    done = run("doctor", "--json", code=1, env={"PYTHONPATH": f"{folder}:{root}"})
    bad = {finding["name"] for finding in done.json()["findings"] if not finding["ok"]}
    assert "import torch" in bad


CLUSTER = """\
archdsl: 1
kind: runner
name: cluster
executor: ray
training: {cpus: 1, gpus: 1}
data: {flowers: 'folder:gone', small: digits}
"""


@pytest.mark.slow
def test_a_cluster_is_looked_at_line_by_line(run: Run, folder: Path) -> None:
    pytest.importorskip("ray.tune", reason="an extra")
    (folder / "cluster.yaml").write_text(CLUSTER)
    done = run("doctor", "--runner", "cluster", "--json", code=1)
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
    out = run("doctor", "--runner", "away", code=1).out
    assert f"BAD  ray           nothing answers at 127.0.0.1:{port} (" in out
