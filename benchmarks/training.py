"""What do minutes of training on 5,000 pictures of CIFAR-10 come to, and what does the loop take?

ViTTMs behind convolutions and behind patches, and a plain ViT of as many multiply-adds, trained by
the recipe `cifar`; beside them timm's own way with timm's ViT and the same settings: its loader,
mixup, optimiser, schedule and clipping. Each training is a process on one core.

    python benchmarks/training.py cifar10_5k.npz --seeds 3
    python benchmarks/training.py cifar10_5k.npz --speed --rounds 3
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import archdsl
from archdsl.training.data.dataset import Split
from archdsl.training.data.source import open_data
from archdsl.training.read import resolve_recipe
from archdsl.training.recipe import Recipe

HEADS = {"type": "linear_attention", "latent_ratio": 0.5, "fusion": "add"}
BLOCK = {"type": "transformer", "head_dim": 32, "mlp_ratio": 2}


NETWORKS: dict[str, Any] = {
    "conv": "vittm-cifar",
    "patch": {
        "archdsl": 1,
        "name": "cifar-patch",
        "image": {"size": 32},
        "depth": 3,
        "process": {"embed": {"type": "patch", "patch_size": 8}, "dim": 192, "block": BLOCK},
        "memory": {"embed": {"type": "patch", "patch_size": 4}},
        "exchange": {
            "norm": {"placement": "replace", "shared": True},
            "read": HEADS,
            "write": HEADS,
        },
        "output": {"num_classes": 10, "streams": ["memory", "process"], "predict": "mean"},
    },
    "vit": {
        "archdsl": 1,
        "name": "cifar-vit",
        "image": {"size": 32},
        "depth": 6,
        "process": {
            "embed": {"type": "patch", "patch_size": 4},
            "prefix_tokens": ["cls"],
            "dim": 128,
            "block": BLOCK,
        },
        "output": {"num_classes": 10, "pool": "cls"},
    },
}
"""The ViT has about as many multiply-adds as the ViTTM behind convolutions."""


def ours(name: str, data: str, seed: int, epochs: int | None, folder: Path) -> dict[str, float]:
    """Metrics in percent, and images a second of the median epoch."""
    bundle = archdsl.train(
        NETWORKS[name], data=data, folder=folder, recipe="cifar", epochs=epochs, seed=seed
    )
    found = {score["quantity"]: float(score["value"]) for score in bundle.scores}
    rows = (folder / "epochs.csv").read_text().splitlines()
    at = rows[0].split(",").index("images_per_second")
    rates = [float(row.split(",")[at]) for row in rows[1:]]
    return {**found, "images_per_second": statistics.median(rates[1:] or rates)}


class Pictures(torch.utils.data.Dataset[Any]):
    """The images of a split as timm's loader takes them."""

    def __init__(self, split: Split) -> None:
        self.images = [
            Image.fromarray(np.moveaxis(image.numpy(), 0, -1))
            for image in split.pixels(torch.arange(len(split)))
        ]
        self.labels = [int(label) for label in split.labels]
        self.transform: Any = None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.transform(self.images[index]), self.labels[index]


def timms(data: str, seed: int, epochs: int | None) -> dict[str, float]:
    """The same of timm's ViT, trained as timm's script does it."""
    from timm.data import Mixup, create_loader
    from timm.loss import SoftTargetCrossEntropy
    from timm.models import VisionTransformer
    from timm.optim import create_optimizer_v2
    from timm.scheduler import create_scheduler_v2
    from timm.utils import dispatch_clip_grad

    recipe: Recipe = resolve_recipe("cifar")
    epochs = epochs or recipe.epochs
    dataset = open_data(data)
    torch.manual_seed(seed)
    np.random.seed(seed)
    model = VisionTransformer(
        img_size=32, patch_size=4, embed_dim=128, depth=6, num_heads=4, mlp_ratio=2, num_classes=10
    )
    loader, validation, test = (
        create_loader(
            Pictures(split),
            (3, 32, 32),
            recipe.batch,
            is_training=train,
            use_prefetcher=False,
            mean=tuple(level / 255 for level in split.normalisation.mean),
            std=tuple(level / 255 for level in split.normalisation.std),
            re_prob=recipe.erasing,
            re_mode="pixel",
            num_workers=0,
            device=torch.device("cpu"),
        )
        for split, train in (
            (dataset.train, True),
            (dataset.validation, False),
            (dataset.test, False),
        )
    )
    _show_as_ours(loader, recipe)
    mixup = Mixup(
        mixup_alpha=recipe.mixup,
        cutmix_alpha=recipe.cutmix,
        prob=recipe.mix_prob,
        label_smoothing=recipe.label_smoothing,
        num_classes=10,
    )
    optimizer = create_optimizer_v2(
        model, recipe.optimizer, lr=recipe.lr, weight_decay=recipe.weight_decay
    )
    scheduler, _ = create_scheduler_v2(
        optimizer,
        num_epochs=epochs,
        warmup_epochs=int(recipe.warmup_epochs),
        warmup_prefix=True,
        min_lr=recipe.min_lr,
        step_on_epochs=False,
        updates_per_epoch=len(loader),
    )
    criterion, updates, rates = SoftTargetCrossEntropy(), 0, []
    for _ in range(epochs):
        model.train()
        begun, images_seen = time.perf_counter(), 0
        for shown, labels in loader:
            images, targets = mixup(shown, labels)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = criterion(model(images), targets)
            optimizer.zero_grad()
            loss.backward()
            dispatch_clip_grad(model.parameters(), recipe.clip_grad or 0.0)
            optimizer.step()
            updates += 1
            images_seen += len(images)
            loss.item()
            scheduler.step_update(updates)
        rates.append(images_seen / (time.perf_counter() - begun))
        value = _top1(model, validation)
    return {
        "top1": value,
        "test_top1": _top1(model, test),
        "images_per_second": statistics.median(rates[1:] or rates),
    }


def _show_as_ours(loader: Any, recipe: Recipe) -> None:
    """The crop by padding, which timm's transforms lack, before those that it has."""
    from torchvision import transforms

    kept = [
        each
        for each in loader.dataset.transform.transforms
        if type(each).__name__ in ("MaybeToTensor", "ToTensor", "Normalize", "RandomErasing")
    ]
    loader.dataset.transform = transforms.Compose(
        [
            transforms.RandomCrop(32, 4, padding_mode="edge"),
            transforms.RandomHorizontalFlip(recipe.flip),
            *kept,
        ]
    )


def _top1(model: torch.nn.Module, loader: Any) -> float:
    model.eval()
    with torch.inference_mode():
        hits = [(model(images).argmax(1) == labels).float() for images, labels in loader]
    return 100 * float(torch.cat(hits).mean())


def in_a_process(name: str, data: str, seed: int, epochs: int | None) -> str:
    """One training, and what it prints."""
    words = (data, "--one", name, str(seed), str(epochs or 0))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def one(name: str, data: str, seed: int, epochs: int | None) -> dict[str, float]:
    torch.set_num_threads(1)
    if name == "timm":
        return timms(data, seed, epochs)
    with tempfile.TemporaryDirectory() as folder:
        return ours(name, data, seed, epochs, Path(folder) / "run")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", help="an npz file with x_train, y_train, x_test and y_test")
    parser.add_argument("--networks", default="conv,patch,vit,timm")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="the recipe's unless given")
    parser.add_argument("--speed", action="store_true", help="ours and timm's way in turns")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    data = asked.data if ":" in asked.data else f"npz:{Path(asked.data).absolute()}"
    if asked.one:
        name, seed, epochs = asked.one
        print(json.dumps(one(name, data, int(seed), int(epochs) or None)))
        return
    os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])
    jobs = [(name, seed) for name in asked.networks.split(",") for seed in range(asked.seeds)]
    epochs = asked.epochs
    if asked.speed:
        jobs = [(name, seed) for seed in range(asked.rounds) for name in ("vit", "timm")]
        epochs = epochs or 3
    found: dict[str, list[dict[str, float]]] = {}
    for name, seed in jobs:
        begun = time.perf_counter()
        said = in_a_process(name, data, seed, epochs)
        told = {**json.loads(said.splitlines()[-1]), "minutes": (time.perf_counter() - begun) / 60}
        found.setdefault(name, []).append(told)
        print(name, seed, {word: round(value, 2) for word, value in told.items()}, flush=True)
    for name, rows in found.items():
        values = [row["test_top1"] for row in rows]
        rate = statistics.median(row["images_per_second"] for row in rows)
        print(
            f"{name:<6} test top-1 {statistics.mean(values):.1f} % (from {min(values):.1f} to "
            f"{max(values):.1f}), {rate:.0f} images/s"
        )


if __name__ == "__main__":
    main()
