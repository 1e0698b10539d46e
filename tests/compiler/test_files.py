"""A compiled model's files: its document, its plan, its weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import archdsl
from archdsl.compiler.files import write_compiled
from archdsl.errors import ArchdslError
from archdsl.plan.read import read_model


def test_files_give_the_model_back(tmp_path: Path) -> None:
    checked = read_model("vittm-digits", ["memory.block={type: mlp, mlp_ratio: 0.5}"])
    folder = tmp_path / "a" / "b"
    written = write_compiled(checked.spec, checked.plan, folder, seed=3)
    names = ["spec.yaml", "plan.json", "weights.safetensors"]
    assert written == [folder / name for name in names]
    assert sorted(folder.iterdir()) == sorted(written)
    spec = archdsl.load(folder / "spec.yaml")
    plan = json.loads((folder / "plan.json").read_text())
    assert plan == {"arch_id": checked.plan.arch_id, "plan": checked.plan.canonical()}
    model = archdsl.compile(spec)
    model.load_state_dict(load_file(folder / "weights.safetensors"))
    assert model.plan == checked.plan
    torch.manual_seed(3)
    expected = archdsl.compile(checked.spec).state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in model.state_dict().items())


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    checked = read_model("vittm-digits")
    with pytest.raises(ArchdslError, match="is a file; -o names a folder"):
        write_compiled(checked.spec, checked.plan, path, seed=0)
