"""Trainings of before are found when finished, and gone on with when half-way.

One was trained into a folder, the other to a URL. What they hold is the same, and each is found at
both places.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fsspec
import pytest
import timm
import torch
from safetensors.torch import load
from torch import Tensor, nn

from archdsl.compiler.build import build_plan
from archdsl.document.tree import tree_of
from archdsl.plan.read import check_model
from archdsl.storage.folder import Folder
from archdsl.storage.remote import RemoteFolder
from archdsl.storage.storage import Storage
from archdsl.training.data.dataset import Dataset, Split
from archdsl.training.data.source import open_data
from archdsl.training.loop import FitResult, Values, evaluate, fit
from archdsl.training.read import resolve_recipe
from archdsl.training.tasks.classification import Classification

ASSETS = Path(__file__).parent / "assets"
FILE = ASSETS / "trainings.json"
GOLDEN: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
CPU = torch.device("cpu")
RECIPE = {"epochs": 6, "batch": 128, "lr": 0.01}
HALF_WAY = 3
SEED = 7
BATCHES = 9
"""Of one epoch."""
ROUNDING = 8
"""Validation images, of about 360, that a training on another processor may see otherwise."""

TRAININGS = list(GOLDEN.get("trainings", {}).items())
each_training = pytest.mark.parametrize(
    ("name", "golden"), TRAININGS, ids=[name for name, _ in TRAININGS]
)
each_place = pytest.mark.parametrize("place", ["folder", "url"])


def versions() -> dict[str, str]:
    """Of what the keys of trainings depend on."""
    return {"torch": str(torch.__version__).partition("+")[0], "timm": timm.__version__}


class Counted:
    """A split that counts the batches read of it."""

    broken = None

    def __init__(self, split: Split) -> None:
        self.split = split
        self.batches = 0

    def decoders(self, **_: bool) -> int:
        return 0

    def __len__(self) -> int:
        return len(self.split)

    def to(self, device: torch.device) -> Counted:
        return self

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        self.batches += 1
        return self.split.batch(indices)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A training: what it came to, what it said, and how many epochs were trained for it."""

    network: nn.Module
    result: FitResult
    reported: list[tuple[int, Values]]
    epochs: float


def network_of(document: Mapping[str, Any]) -> nn.Module:
    torch.manual_seed(SEED)
    return build_plan(check_model(tree_of(document, source="golden")).plan)


def train(
    document: Mapping[str, Any],
    data: Dataset,
    place: Storage | None,
    *,
    stop: int | None = None,
) -> Trained:
    """Train, or go on with what is there; `stop` is the epoch after which Ctrl-C comes."""
    network, images = network_of(document), Counted(data.train)
    reported: list[tuple[int, Values]] = []

    def report(epoch: int, values: Values) -> None:
        reported.append((epoch, values))
        if epoch == stop:
            raise KeyboardInterrupt

    result = fit(
        network,
        replace(data, train=images),
        task=Classification(),
        recipe=resolve_recipe(RECIPE),
        seed=SEED,
        device=CPU,
        storage=place,
        report=report,
    )
    return Trained(
        network=network, result=result, reported=reported, epochs=images.batches / BATCHES
    )


def correct_of(result: FitResult) -> list[int]:
    """Correct validation images after each epoch."""
    return [round(values["top1"] * result.images / 100) for values in result.history]


@pytest.fixture(autouse=True, scope="module")
def _as_before() -> Iterator[None]:
    """Skips where other packages train."""
    if versions() != GOLDEN["versions"]:
        pytest.skip(f"they were trained with {GOLDEN['versions']}, here is {versions()}")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return open_data("digits")


@pytest.fixture
def memory() -> Iterator[Any]:
    """fsspec's own, all in this process."""
    made = fsspec.filesystem("memory")
    yield made
    made.rm("/", recursive=True)


NAMES = {
    "finished": {"folder": "weights.safetensors", "url": "weights.safetensors"},
    "half-way": {"folder": "checkpoint.pt", "url": "checkpoint-odd.pt"},
}
"""Of the one file there is, by what has become of the training and where."""


def written(name: str, state: str) -> bytes:
    """What a training left, packed where it is large."""
    file = NAMES[state][GOLDEN["trainings"][name]["place"]]
    path = ASSETS / "trainings" / name / state / file
    packed = path.with_name(f"{file}.xz")
    return lzma.decompress(packed.read_bytes()) if packed.exists() else path.read_bytes()


def put(content: bytes, state: str, place: str, *, tmp_path: Path, memory: Any) -> Storage:
    """The file of a training, where a later training looks for it."""
    file = NAMES[state][place]
    if place == "folder":
        (tmp_path / "seed-7").mkdir()
        (tmp_path / "seed-7" / file).write_bytes(content)
        return Folder(tmp_path / "seed-7")
    memory.makedirs("/goldens/seed-7", exist_ok=True)
    memory.pipe_file(f"/goldens/seed-7/{file}", content)
    return RemoteFolder("memory://goldens") / "seed-7"


def test_the_data_are_those_of_before(digits: Dataset) -> None:
    assert digits.digest == GOLDEN["data"]


@each_training
@each_place
def test_a_finished_training_is_found(
    *,
    name: str,
    golden: Mapping[str, Any],
    place: str,
    digits: Dataset,
    tmp_path: Path,
    memory: Any,
) -> None:
    content = written(name, "finished")
    where = put(content, "finished", place, tmp_path=tmp_path, memory=memory)
    found = train(golden["document"], digits, where)
    assert found.epochs == 0, "nothing is trained again"
    assert correct_of(found.result) == golden["correct"]
    assert found.result.counts == {"correct": golden["correct"][-1]}
    assert found.reported == list(enumerate(found.result.history, start=1))
    assert found.result.seconds == pytest.approx(golden["seconds"])
    stored = load(content)
    assert stored.keys() == found.network.state_dict().keys()
    assert all(torch.equal(stored[key], each) for key, each in found.network.state_dict().items())
    counts = evaluate(
        found.network, digits.validation, task=Classification(), device=CPU, batch=128
    )
    assert counts["correct"] == pytest.approx(golden["correct"][-1], abs=1), "and it is as good"


@pytest.mark.slow
@each_training
@each_place
def test_a_training_half_way_is_gone_on_with(
    *,
    name: str,
    golden: Mapping[str, Any],
    place: str,
    digits: Dataset,
    tmp_path: Path,
    memory: Any,
) -> None:
    content = written(name, "half-way")
    where = put(content, "half-way", place, tmp_path=tmp_path, memory=memory)
    found = train(golden["document"], digits, where)
    assert found.epochs == RECIPE["epochs"] - HALF_WAY, "the others only"
    assert correct_of(found.result)[:HALF_WAY] == golden["correct"][:HALF_WAY]
    assert correct_of(found.result) == pytest.approx(golden["correct"], abs=ROUNDING)
    again = train(golden["document"], digits, where)
    assert again.epochs == 0
    assert again.result == found.result


@pytest.mark.slow
@each_training
def test_a_training_from_the_beginning_comes_to_the_same(
    name: str, golden: Mapping[str, Any], digits: Dataset
) -> None:
    found = train(golden["document"], digits, None)
    assert found.epochs == RECIPE["epochs"]
    assert correct_of(found.result) == pytest.approx(golden["correct"], abs=ROUNDING)
