"""Classes of unlike sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from archdsl.training.data.dataset import Dataset, even_weights
from archdsl.training.data.source import open_data
from archdsl.training.loop import fit
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.classification import Classification

CPU = torch.device("cpu")


class Linear(nn.Module):
    """One linear map of how bright an image is."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(1, 2)

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_heads(images)["head"]

    def forward_heads(self, images: Tensor) -> dict[str, Tensor]:
        return {"head": self.head(8 * images.mean(dim=(1, 2, 3))[:, None])}

    def no_weight_decay(self) -> set[str]:
        return set()


@pytest.fixture
def uneven(npz: Callable[[dict[str, np.ndarray]], Path]) -> Dataset:
    """Faintly brighter images are of the second class, which has one in twenty to train on."""
    generator = np.random.default_rng(0)

    def part(first: int, second: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.repeat([0, 1], [first, second])
        levels = 110 + 15 * labels[:, None, None] + generator.normal(0, 80, (len(labels), 8, 8))
        return levels.clip(0, 255).astype(np.uint8), labels

    train, validation = part(380, 20), part(200, 200)
    names = ("x_train", "y_train", "x_val", "y_val")
    return open_data(f"npz:{npz(dict(zip(names, (*train, *validation), strict=True)))}")


def trained(data: Dataset, **words: Any) -> float:
    """Balanced accuracy in percent."""
    result = fit(
        Linear(),
        data,
        task=Classification(),
        recipe=Recipe(**{"epochs": 10, "batch": 20, "lr": 0.05, **words}),
        seed=0,
        device=CPU,
        storage=None,
        report=lambda epoch, values: None,
    )
    return result.history[-1]["balanced_accuracy"]


@pytest.mark.parametrize("loss", ["cross_entropy", "bce"])
def test_rare_classes_are_helped(uneven: Dataset, loss: str) -> None:
    as_they_are = trained(uneven, loss=loss)
    for classes in ("weighted", "sampled"):
        assert trained(uneven, loss=loss, classes=classes) > as_they_are + 10, classes


def test_images_count_as_much_as_makes_classes_even(uneven: Dataset) -> None:
    weights = even_weights(uneven)
    assert weights.tolist() == pytest.approx([400 / 760, 400 / 40])
    # Taken in parts, a batch has the gradient that it has as a whole.
    whole, parts = (
        trained(uneven, classes="weighted", accumulate=parts, batch=50) for parts in (1, 3)
    )
    assert whole == pytest.approx(parts, abs=1)


def test_an_epoch_shows_each_class_as_often(uneven: Dataset) -> None:
    shown: list[int] = []

    class Noted(Classification):
        def loss(self, *arguments: Any, **words: Any) -> Tensor:
            shown.extend(arguments[2].tolist())
            return super().loss(*arguments, **words)

    fit(
        Linear(),
        uneven,
        task=Noted(),
        recipe=Recipe(epochs=1, classes="sampled"),
        seed=0,
        device=CPU,
        storage=None,
        report=lambda epoch, values: None,
    )
    assert len(shown) == 400
    assert 150 < sum(shown) < 250


def test_even_classes_have_even_weights(digits: Dataset) -> None:
    assert even_weights(digits).sub(1).abs().max() < 0.1
    assert even_weights(replace(digits, class_names=(*digits.class_names, "none"))).isfinite().all()
