"""Small models and data that train in a moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from archdsl.training.data.dataset import Dataset
from archdsl.training.data.source import open_data


class TwoHeads(nn.Module):
    """A small convolution with two classifiers; draws random numbers (dropout) while it trains."""

    def __init__(self, *, channels: int = 1, width: int = 24, num_classes: int = 10) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(1, channels, 8, 8))
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.GELU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Flatten(),
            nn.Dropout(0.05),
        )
        self.memory = nn.Linear(16 * width, num_classes)
        self.process = nn.Linear(16 * width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_heads(images)["memory"]

    def forward_heads(self, images: Tensor) -> dict[str, Tensor]:
        features = self.body(images + self.table)
        return {"memory": self.memory(features), "process": self.process(features)}

    def no_weight_decay(self) -> set[str]:
        return {"table"}


@pytest.fixture
def make_model() -> Callable[..., TwoHeads]:
    """Builds the model with seed 0, whatever was drawn before."""

    def make(**sizes: int) -> TwoHeads:
        torch.manual_seed(0)
        return TwoHeads(**sizes)

    return make


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return open_data("digits")


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """A valid archive's arrays: three classes of 8x8 RGB noise."""
    generator = np.random.default_rng(0)

    def images(count: int) -> np.ndarray:
        return generator.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)

    return {
        "x_train": images(60),
        "y_train": np.arange(60) % 3,
        "x_test": images(9),
        "y_test": np.arange(9) % 3,
    }


@pytest.fixture
def npz(tmp_path: Path) -> Callable[[dict[str, np.ndarray]], Path]:
    """Writes arrays to an archive."""

    def write(contents: dict[str, Any]) -> Path:
        path = tmp_path / "data.npz"
        np.savez(path, **contents)
        return path

    return write
