"""`archdsl doctor`: fine here; a remedy where something is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

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
