"""How long a training will take, from a few steps of it."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from archdsl.device_lock import FOLDER_VARIABLE, exclusive, report_waits
from archdsl.plan.read import read_model
from archdsl.training.data.dataset import Dataset, Split
from archdsl.training.preflight import check_fits, training_seconds
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.classification import Classification


@dataclass
class Decoded:
    """A split whose batches take their time, as those of pictures do."""

    split: Split
    seconds: float
    broken: None = None

    def __len__(self) -> int:
        return len(self.split)

    def decoders(self, **_: bool) -> int:
        return 0

    def to(self, device: torch.device) -> Decoded:
        return self

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        time.sleep(self.seconds)
        return self.split.batch(indices)


def estimated(model: nn.Module, dataset: Dataset, recipe: Recipe) -> float:
    return training_seconds(
        model,
        read_model("vittm-digits").spec,
        dataset,
        task=Classification(),
        recipe=recipe,
        device=torch.device("cpu"),
    )


def test_all_of_a_training_counts(make_model: Callable[..., nn.Module], digits: Dataset) -> None:
    """Reading the images and validation as much as the steps, which are those of the training."""
    slow = replace(
        digits, train=Decoded(digits.train, 0.1), validation=Decoded(digits.validation, 0.3)
    )
    model = make_model()
    before = [weight.detach().clone() for weight in model.parameters()]
    steps, validations = -(-len(digits.train) // 256), len(digits.validation) / 256
    slept = 3 * (0.1 * steps + 0.3 * validations)
    found = estimated(model, slow, Recipe(epochs=3, batch=256))
    assert slept <= found < 2 * slept
    changed = zip(before, model.parameters(), strict=True)
    assert all(not torch.equal(then, now) for then, now in changed), "the optimiser's share, too"


def test_what_was_estimated_is_let_go_of(make_model: Callable[..., nn.Module]) -> None:
    weights: list[weakref.ref[Tensor]] = []

    def build() -> nn.Module:
        model = make_model()
        weights.extend(map(weakref.ref, model.parameters()))
        return model

    needed = check_fits(
        build,
        task=Classification(),
        image_shape=(1, 8, 8),
        recipe=Recipe(),
        device=torch.device("cpu"),
    )
    gc.collect()
    assert needed > 0
    assert weights
    assert not any(weight() is not None for weight in weights)


def test_a_measurement_is_not_disturbed(
    make_model: Callable[..., nn.Module],
    digits: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No step is taken before it has left the device."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "leases"))
    model, waiting, found = make_model(), threading.Event(), list[float]()
    called = threading.Event()
    model.register_forward_hook(lambda *_: called.set())
    recipe = Recipe(epochs=1, batch=len(digits.train), warmup_epochs=0)
    estimate = threading.Thread(target=lambda: found.append(estimated(model, digits, recipe)))
    with report_waits(lambda seconds, words: waiting.set()), exclusive("cpu"):
        estimate.start()
        assert waiting.wait(60)
        assert not called.is_set()
    estimate.join()
    assert found[0] > 0
    assert called.is_set()
