"""A training that a test starts, kills and starts again: `training_process.py NPZ FOLDER EPOCHS`.

Prints `epoch top1` once an epoch is on disk, and the result at the end.
"""

from __future__ import annotations

import sys

import torch
from torch import nn

from archdsl.compiler.build import build
from archdsl.nn.network import Network
from archdsl.plan.read import read_model
from archdsl.storage.storage import storage_at
from archdsl.training.data.source import open_data
from archdsl.training.loop import fit
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.classification import Classification

WORDS = ("image.channels=3", "output.num_classes=3", "depth=2", "process.dim=16")


def network() -> Network:
    """Keeps running statistics and draws random numbers: both must survive a kill."""
    made = build(read_model("vittm-digits", WORDS).spec)
    for stream in ("memory", "process"):
        norm = nn.Sequential(nn.BatchNorm1d(16), nn.Dropout(0.2))
        made.replace(f"classifiers.{stream}.pooled_norm", norm)
    return made


def main(data: str, folder: str, epochs: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(3)
    result = fit(
        network(),
        open_data(f"npz:{data}"),
        task=Classification(),
        recipe=Recipe(
            epochs=int(epochs),
            batch=16,
            crop="pad",
            flip=0.5,
            erasing=0.5,
            mixup=0.5,
            cutmix=0.5,
            ema=0.9,
            drop_path=0.2,
        ),
        seed=5,
        device=torch.device("cpu"),
        storage=storage_at(folder),
        report=lambda epoch, values: print(epoch, values["top1"], flush=True),
    )
    print("result", result.history, result.counts, result.images, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
