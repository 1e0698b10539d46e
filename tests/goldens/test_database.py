"""The database of a search of before, and its weights: opened, read and found complete.

The search measured and trained in earnest; nobody may have to pay for it again.
"""

from __future__ import annotations

import json
import lzma
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from archdsl.cli.main import app
from archdsl.plan.read import read_model
from archdsl.store.store import open_store

ASSETS = Path(__file__).parent / "assets/searched"
FILE = ASSETS / "said.json"
GOLDEN: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}


def archdsl(*arguments: str) -> str:
    """What a command prints."""
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def exported() -> dict[str, str]:
    """The documents that `export --front` writes, and their architectures."""
    files = json.loads(archdsl("export", "--front", "-o", "found", "--json"))["files"]
    documents = [Path(each["path"]) for each in files if each["path"].endswith(".yaml")]
    return {path.name: read_model(str(path)).plan.arch_id for path in sorted(documents)}


def close_to(value: Any) -> Any:
    """The same, but for the rounding of other processors."""
    if isinstance(value, Mapping):
        return {key: close_to(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [close_to(inner) for inner in value]
    return pytest.approx(value, rel=1e-9) if isinstance(value, float) else value


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the search, the current one."""
    database = lzma.decompress((ASSETS / "store.sqlite.xz").read_bytes())
    (tmp_path / "archdsl.db").write_bytes(database)
    shutil.copy(ASSETS / "study.yaml", tmp_path / "study.yaml")
    shutil.copytree(ASSETS / "files", tmp_path / "archdsl-files")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def upgraded() -> None:
    """Whoever only reads asks for an upgrade, where there is one."""
    with open_store("archdsl.db"):
        pass


@pytest.mark.parametrize(("robust", "key"), [([], "front"), (["--robust"], "robust")])
def test_the_front_is_what_it_was(robust: list[str], key: str) -> None:
    upgraded()
    assert json.loads(archdsl("front", *robust, "--json")) == close_to(GOLDEN[key])


@pytest.mark.parametrize("number", range(3))
def test_every_trial_is_what_it_was(number: int) -> None:
    upgraded()
    found = json.loads(archdsl("show", str(number), "--json"))
    golden = GOLDEN["trials"][number]
    for word in ("arch_id", "name", "trial", "spec", "facts", "measurements"):
        assert found[word] == close_to(golden[word]), word


def test_the_members_are_exported_as_they_were() -> None:
    upgraded()
    assert exported() == GOLDEN["exported"]


@pytest.mark.slow
def test_the_search_is_found_complete(folder: Path) -> None:
    """Whatever machine this is: what is complete is not measured here."""
    before = {path: path.stat().st_mtime_ns for path in (folder / "archdsl-files").rglob("*")}
    found = json.loads(archdsl("search", "study.yaml", "--json"))
    assert found["ran"] == 0
    assert found["note"] is None
    front = {word: value for word, value in found.items() if word in GOLDEN["front"]}
    assert front == close_to(GOLDEN["front"])
    after = {path: path.stat().st_mtime_ns for path in (folder / "archdsl-files").rglob("*")}
    assert after == before, "no training was touched"


@pytest.mark.slow
def test_the_weights_are_those_of_the_exported_documents(folder: Path) -> None:
    upgraded()
    for trial in GOLDEN["trials"]:
        [top1] = [each for each in trial["measurements"] if each["quantity"] == "top1"]
        weights = load_file(folder / top1["detail"]["weights"] / "seed-0/weights.safetensors")
        archdsl("compile", str(export_of(trial)), "-o", "compiled")
        compiled = load_file(folder / "compiled/weights.safetensors")
        shapes = {name: tensor.shape for name, tensor in compiled.items()}
        assert {name: tensor.shape for name, tensor in weights.items()} == shapes
        assert all(torch.isfinite(tensor).all() for tensor in weights.values())
        shutil.rmtree("compiled")


def export_of(trial: Mapping[str, Any]) -> Path:
    path = Path(f"{trial['arch_id']}.yaml")
    archdsl("export", trial["arch_id"], "-o", str(path))
    return path
