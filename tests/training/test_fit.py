"""Training on the digits: it learns, repeats itself, continues and says when it fails."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from archdsl.errors import ArchdslError
from archdsl.storage.folder import Folder
from archdsl.training.data.dataset import Dataset
from archdsl.training.data.reading import Reading
from archdsl.training.data.source import open_data
from archdsl.training.divergence import DivergedError
from archdsl.training.loop import FitResult, Values, evaluate, fit
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.classification import Classification

CPU = torch.device("cpu")
MakeModel = Callable[..., nn.Module]


class ForbiddenSplit:
    """Fails whoever looks at it."""

    def __len__(self) -> int:
        raise AssertionError("the test split was measured")

    def to(self, device: torch.device) -> ForbiddenSplit:
        raise AssertionError(f"the test split was sent to {device}")

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        raise AssertionError(f"test images {indices} were read")


def train(
    model: nn.Module,
    dataset: Dataset,
    *,
    seed: int = 0,
    folder: Path | None = None,
    report: Callable[[int, Values], None] = lambda epoch, values: None,
    **recipe: float | str,
) -> FitResult:
    words: dict[str, Any] = {"epochs": 2, "crop": "pad", **recipe}
    return fit(
        model,
        replace(dataset, test=ForbiddenSplit()),
        task=Classification(),
        recipe=Recipe(**words),
        seed=seed,
        device=CPU,
        storage=Folder(folder) if folder else None,
        report=report,
    )


def same_weights(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


def stop_at(last: int) -> Callable[[int, Values], None]:
    def report(epoch: int, values: Values) -> None:
        if epoch == last:
            raise KeyboardInterrupt

    return report


@pytest.mark.slow
def test_it_learns_and_says_how_well(
    digits: Dataset, make_model: MakeModel, tmp_path: Path
) -> None:
    reports: list[tuple[int, Values]] = []
    model = make_model()
    result = train(
        model,
        digits,
        folder=tmp_path,
        report=lambda *entry: reports.append(entry),
        epochs=8,
        crop="none",
    )
    correct = result.counts["correct"]
    assert result.history[-1]["top1"] == 100 * correct / result.images
    assert result.history[-1]["top1"] > 95
    scored = {"task": Classification(), "device": CPU, "batch": 64}
    assert evaluate(model, digits.validation, **scored) == result.counts
    assert evaluate(model, digits.test, **scored)["correct"] > 0.9 * len(digits.test)
    assert reports == list(enumerate(result.history, start=1))
    assert len(result.history) == 8
    stored = load_file(tmp_path / "weights.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]
    assert all(torch.equal(stored[name], value) for name, value in model.state_dict().items())


@pytest.mark.slow
def test_it_tells_of_each_step_and_its_weights_of_the_pictures(
    digits: Dataset, make_model: MakeModel, tmp_path: Path
) -> None:
    steps: list[tuple[float, int]] = []
    fit(
        make_model(),
        digits,
        task=Classification(),
        recipe=Recipe(epochs=1),
        seed=0,
        device=CPU,
        storage=Folder(tmp_path),
        report=lambda epoch, values: None,
        on_step=lambda loss, images: steps.append((float(loss), images)),
    )
    assert sum(images for _, images in steps) == len(digits.train)
    assert steps[-1][0] < steps[0][0]
    with safe_open(tmp_path / "weights.safetensors", "pt") as file:
        told = json.loads(file.metadata()["archdsl.progress"])
    assert Reading.read(told["reading"]) == Reading.of(digits)


def test_the_seed_decides_everything(digits: Dataset, make_model: MakeModel) -> None:
    first, again, other = make_model(), make_model(), make_model()
    train(first, digits, seed=1)
    torch.rand(7)
    train(again, digits, seed=1)
    train(other, digits, seed=2)
    assert same_weights(first, again)
    assert not same_weights(first, other)


@pytest.mark.slow
def test_an_interrupted_training_goes_on(
    digits: Dataset, make_model: MakeModel, tmp_path: Path
) -> None:
    undisturbed, interrupted = make_model(), make_model()
    expected = train(undisturbed, digits, epochs=4)
    with pytest.raises(KeyboardInterrupt):
        train(interrupted, digits, folder=tmp_path, epochs=4, report=stop_at(2))
    # What a kill in the middle of writing the next checkpoint leaves behind.
    (tmp_path / "checkpoint.pt.tmp").write_bytes(b"half a check")
    resumed = make_model()
    reports: list[int] = []
    result = train(
        resumed, digits, folder=tmp_path, epochs=4, report=lambda epoch, _: reports.append(epoch)
    )
    assert reports == [1, 2, 3, 4]
    assert result.history == expected.history
    assert result.seconds > 0
    assert same_weights(resumed, undisturbed)


def test_a_finished_training_is_not_repeated(
    digits: Dataset, make_model: MakeModel, tmp_path: Path
) -> None:
    first, again = make_model(), make_model()
    result = train(first, digits, folder=tmp_path)
    written = (tmp_path / "weights.safetensors").stat().st_mtime_ns
    reports: list[Values] = []
    repeated = train(
        again, digits, folder=tmp_path, report=lambda _, values: reports.append(values)
    )
    assert repeated == result
    assert tuple(reports) == result.history
    assert same_weights(first, again)
    assert (tmp_path / "weights.safetensors").stat().st_mtime_ns == written


@pytest.mark.slow
@pytest.mark.parametrize("changed", ["seed", "recipe", "data", "architecture", "setting"])
@pytest.mark.parametrize("finished", [True, False])
def test_a_state_of_other_arguments_is_not_used(
    digits: Dataset, make_model: MakeModel, tmp_path: Path, changed: str, finished: bool
) -> None:
    if finished:
        train(make_model(), digits, folder=tmp_path)
    else:
        with pytest.raises(KeyboardInterrupt):
            train(make_model(), digits, folder=tmp_path, report=stop_at(1))
    model, fresh = make_model(), make_model()
    words: dict[str, Any] = {}
    data = digits
    if changed == "seed":
        words["seed"] = 1
    elif changed == "recipe":
        words["lr"] = 1e-3
    elif changed == "data":
        data = open_data("digits", split_seed=1)
    elif changed == "architecture":
        model, fresh = make_model(width=16), make_model(width=16)
    else:
        for each in (model, fresh):
            next(part for part in each.modules() if isinstance(part, nn.Dropout)).p = 0.4
    train(model, data, folder=tmp_path, **words)
    train(fresh, data, **words)
    assert same_weights(model, fresh)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_as_none(
    digits: Dataset, make_model: MakeModel, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(make_model(), digits, folder=tmp_path, report=stop_at(1))
    checkpoint = tmp_path / "checkpoint.pt"
    whole = checkpoint.read_bytes()
    for damaged in (b"", b"x", whole[: len(whole) // 2]):
        checkpoint.write_bytes(damaged)
        (tmp_path / "weights.safetensors").write_bytes(damaged)
        model, fresh = make_model(), make_model()
        train(model, digits, folder=tmp_path)
        train(fresh, digits)
        assert same_weights(model, fresh)


def test_tensors_that_share_memory_are_stored(digits: Dataset, tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(64, 10)
            self.second = self.first

        def forward(self, images: Tensor) -> Tensor:
            return self.forward_heads(images)["first"]

        def forward_heads(self, images: Tensor) -> dict[str, Tensor]:
            flat = images.flatten(1)
            return {"first": self.first(flat), "second": self.second(flat.neg())}

        def no_weight_decay(self) -> set[str]:
            return set()

    model = Tied()
    train(model, digits, folder=tmp_path)
    loaded = Tied()
    loaded.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    assert same_weights(loaded, model)


def test_a_loss_that_is_not_finite_ends_the_training(
    digits: Dataset, make_model: MakeModel
) -> None:
    class Exploding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(64, 10)
            self.calls = 0

        def forward(self, images: Tensor) -> Tensor:
            return self.forward_heads(images)["head"]

        def forward_heads(self, images: Tensor) -> dict[str, Tensor]:
            self.calls += self.training
            factor = math.inf if self.calls == 20 else 1
            return {"head": self.head(images.flatten(1)) * factor}

        def no_weight_decay(self) -> set[str]:
            return set()

    with pytest.raises(DivergedError, match=r"in epoch 2, step 3"):
        train(Exploding(), digits)
    assert math.ceil(len(digits.train) / 64) == 17
    assert issubclass(DivergedError, ArchdslError)
