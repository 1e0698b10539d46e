"""What the training loop itself takes of an epoch: batches, augmentation, optimiser, validation.

A network of a single linear layer and `vittm-digits` are trained in turn, an epoch each, on the
digits; nothing is stored. The median epoch of each, and what share of the larger one's the loop is.

    python benchmarks/training_loop.py --epochs 15
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import Tensor, nn

import archdsl
from archdsl.training.data.dataset import Dataset
from archdsl.training.data.source import open_data
from archdsl.training.loop import fit
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.classification import Classification


class Linear(nn.Module):
    """As little network as can be trained.

    Args:
        inputs: numbers in an image.
        classes: how many.
    """

    def __init__(self, *, inputs: int, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(inputs, classes)

    def forward(self, images: Tensor) -> Tensor:
        """images (batch, channels, height, width) → logits (batch, classes)."""
        return self.forward_heads(images)["head"]

    def forward_heads(self, images: Tensor) -> dict[str, Tensor]:
        logits: Tensor = self.head(images.flatten(1))
        return {"head": logits}

    def no_weight_decay(self) -> set[str]:
        return set()


def epoch_ms(model: nn.Module, dataset: Dataset) -> float:
    """Wall time of one epoch, after one that is not counted."""
    ends: list[float] = []
    fit(
        model,
        dataset,
        task=Classification(),
        recipe=Recipe(epochs=2),
        seed=0,
        device=torch.device("cpu"),
        storage=None,
        report=lambda *_: ends.append(time.perf_counter()),
    )
    return 1e3 * (ends[1] - ends[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--epochs", type=int, default=15, help="of each network")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    digits = open_data("digits")
    times: dict[str, list[float]] = {"linear": [], "vittm-digits": []}
    for _ in range(asked.epochs):
        times["linear"].append(epoch_ms(Linear(inputs=64, classes=10), digits))
        model = archdsl.compile(archdsl.load("vittm-digits"))
        times["vittm-digits"].append(epoch_ms(model, digits))
    least, whole = (statistics.median(each) for each in times.values())
    print(f"{len(digits.train)} images an epoch, one thread; median of {asked.epochs} epochs")
    print(f"linear        {least:8.1f} ms")
    print(f"vittm-digits  {whole:8.1f} ms")
    print(f"the loop is {least / whole:.1%} of the latter")


if __name__ == "__main__":
    main()
