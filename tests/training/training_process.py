"""A training that a test starts, kills and starts again: `training_process.py NPZ FOLDER EPOCHS`.

Prints `epoch top1` once an epoch is on disk, and the result at the end.
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor, nn

from archdsl.storage.storage import storage_at
from archdsl.training.data.source import open_data
from archdsl.training.loop import fit
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.classification import Classification


class Net(nn.Module):
    """Keeps running statistics and draws random numbers: both must survive a kill."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.GELU(), nn.Flatten(), nn.Dropout(0.2)
        )
        self.head = nn.Linear(8 * 36, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_heads(images)["head"]

    def forward_heads(self, images: Tensor) -> dict[str, Tensor]:
        return {"head": self.head(self.body(images))}

    def no_weight_decay(self) -> set[str]:
        return set()


def main(data: str, folder: str, epochs: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(3)
    result = fit(
        Net(),
        open_data(f"npz:{data}"),
        task=Classification(),
        recipe=Recipe(epochs=int(epochs), batch=8, crop="pad", flip=0.5, erasing=0.5),
        seed=5,
        device=torch.device("cpu"),
        storage=storage_at(folder),
        report=lambda epoch, values: print(epoch, values["top1"], flush=True),
    )
    print("result", result.history, result.counts, result.images, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
