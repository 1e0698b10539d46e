"""Several processes that train one network together, as torchrun starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from archdsl import train
from archdsl.compiler.baseline import build_baseline
from archdsl.compiler.build import build
from archdsl.device_lock import exclusive
from archdsl.errors import ArchdslError
from archdsl.plan.baseline import Baseline
from archdsl.plan.read import read_model
from archdsl.training.bundle import load_bundle
from archdsl.training.data.source import open_data
from archdsl.training.loop import fit
from archdsl.training.read import resolve_recipe
from archdsl.training.tasks import TASKS
from archdsl.training.tasks.classification import Classification
from archdsl.training.world import World

ROOT = Path(__file__).parents[2]
DOCUMENT = """\
archdsl: 1
name: shared
image: {size: 8, channels: 1}
depth: 2
process: {embed: {type: patch, patch_size: 4}, dim: 16,
  block: {type: transformer, head_dim: 8, mlp_ratio: 2}}
memory: {embed: {type: patch, patch_size: 2}}
exchange:
  read: {type: linear_attention, latent_ratio: 0.5, fusion: add}
  write: {type: linear_attention, latent_ratio: 0.5, fusion: add}
output: {num_classes: 10, streams: [process], predict: process}
"""
"""Its last write reaches no classifier: nothing of it has a gradient."""
RECIPE = """\
archdsl: 1
kind: recipe
name: shared
epochs: 2
batch: 46
warmup_epochs: 0.5
amp: false
ema: 0.9
accumulate: 2
repeats: 2
crop: pad
flip: 0.5
classes: sampled
"""
SCRIPT = """
import json
import os
import socket
import sys
from pathlib import Path
from tests.training import test_world
from archdsl.training.world import joined, started_world

with socket.create_server(("127.0.0.1", 0)) as free:
    port = str(free.getsockname()[1])
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port, WORLD_SIZE=sys.argv[2])
for rank in range(int(sys.argv[2])):
    if not os.fork():
        os.environ["RANK"] = str(rank)
        world = started_world()
        with joined(world, test_world.CPU):
            told = getattr(test_world, sys.argv[1])(world)
        Path(f"told-{world.rank}.json").write_text(json.dumps(told))
        os._exit(0)
assert not any(os.wait()[1] for rank in range(int(sys.argv[2])))
"""
"""Forks have all imports behind them, which would take each process seconds."""
CPU = torch.device("cpu")


class Exact(Classification):
    """In numbers of 64 bits."""

    def loss(self, model: Any, images: Any, *rest: Any, **words: Any) -> torch.Tensor:
        return super().loss(model, images.double(), *rest, **words)

    def count(self, model: Any, images: Any, targets: Any) -> Mapping[str, torch.Tensor]:
        return super().count(model, images.double(), targets)


def trained(world: World) -> dict[str, Any]:
    """What a training in the current folder came to."""
    torch.set_num_threads(1)
    losses: list[float] = []
    result = fit(
        build(read_model("shared.yaml").spec, seed=0).double(),
        open_data("digits"),
        task=Exact(),
        recipe=resolve_recipe("recipe.yaml"),
        seed=0,
        device=CPU,
        storage=None,
        report=lambda epoch, values: None,
        on_step=lambda loss, images: losses.append(float(loss)),
        world=world,
    )
    raw = [dict(each) for each in result.raw_history]
    return {"losses": losses, "counts": dict(result.counts), "raw": raw}


def taught(world: World) -> dict[str, Any]:
    """What is left of a training with batch norms and a teacher whose weights hardly move."""
    torch.set_num_threads(1)
    words = {"lr": 1e-12, "min_lr": 0.0, "warmup_steps": 0, "epochs": 1, "amp": False}
    model = build_baseline(Baseline(model="test_byobnet", image=(1, 8, 8), num_classes=10), seed=0)
    result = fit(
        model,
        open_data("digits"),
        task=TASKS["top1"],
        recipe=resolve_recipe({**words, "batch": 64, "ema": 0.9, "teacher": "teacher"}),
        seed=0,
        device=CPU,
        storage=None,
        report=lambda epoch, values: None,
        world=world,
    )
    [first, *_] = [each for each in model.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    assert isinstance(first.running_mean, torch.Tensor)
    state = {name: each.double().sum().item() for name, each in model.state_dict().items()}
    return {"first": first.running_mean.tolist(), "state": state, "counts": dict(result.counts)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shared.yaml").write_text(DOCUMENT)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path


def python(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.process
def test_three_train_as_one_with_the_whole_batch(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same images, same views, same order, whoever of them reads what."""
    with python(folder, "script.py", "trained", "3") as three:
        _, err = three.communicate(timeout=300)
    assert three.returncode == 0, err
    monkeypatch.chdir(folder)
    alone = trained(World())
    assert len(alone["losses"]) == 48
    for rank in range(3):
        told = json.loads((folder / f"told-{rank}.json").read_text())
        assert np.allclose(told["losses"], alone["losses"], rtol=0, atol=1e-6)
        assert told["counts"] == alone["counts"], "evaluation counts each image once"


@pytest.mark.process
def test_batch_norms_end_an_epoch_with_the_statistics_of_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a teacher, too. Means of parts of a batch have its mean."""
    monkeypatch.chdir(folder)
    train("shared.yaml", data="digits", folder="teacher", epochs=1, threads=1)
    with python(folder, "script.py", "taught", "2") as two:
        _, err = two.communicate(timeout=300)
    assert two.returncode == 0, err
    one, other = (json.loads((folder / f"told-{rank}.json").read_text()) for rank in range(2))
    assert one == other
    alone = taught(World())
    assert one["first"] == pytest.approx(
        alone["first"], rel=0, abs=1e-4
    )  # parts differ by an image


@pytest.mark.slow
def test_the_command_leaves_one_bundle(folder: Path) -> None:
    """Under torchrun; on the way there its processes give way to a measurement together."""
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    train = ("-m", "archdsl", "train", "shared.yaml", "--data", "digits", "--recipe", "recipe.yaml")
    with python(folder, *torchrun, *train, "--epochs", "8", "-o", "run", "--json") as training:
        while not (folder / "run" / "epochs.csv").exists():
            assert training.poll() is None, training.communicate()
            time.sleep(0.05)
        with exclusive("cpu", wait_s=60):
            assert training.poll() is None
        out, err = training.communicate(timeout=120)
    assert training.returncode == 0, err
    assert json.loads(out)["found"] is False, "one process alone speaks"
    assert load_bundle(folder / "run").training["recipe"]["epochs"] == 8


def test_more_processes_than_images_are_refused(folder: Path) -> None:
    spec = read_model(str(folder / "shared.yaml")).spec
    with pytest.raises(ArchdslError, match="4 processes cannot share steps of 3 images"):
        fit(
            build(spec, seed=0),
            open_data("digits"),
            task=Classification(),
            recipe=resolve_recipe({"batch": 4}),
            seed=0,
            device=torch.device("cpu"),
            storage=None,
            report=lambda epoch, values: None,
            world=World(rank=0, size=4),
        )
