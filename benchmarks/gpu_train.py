"""How many images a second does a GPU train, with the reading of pictures and without?

ViTTM-B(28,28) and timm's ViT-B/16 in bfloat16, as they are and compiled: the forward pass; steps of
a training on images that lie on the device; the same on JPEGs, which are read and shown as by
`archdsl train --recipe vittm-in1k-b`. Each row is a process of its own, with the largest batch up
to 256 that fits. What there is no time left for stays empty, and is named.

    python benchmarks/gpu_train.py -o benchmarks/gpu_train.md
    python benchmarks/gpu_train.py --device cpu --smoke
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from loading import fill
from torch import Tensor, nn

from archdsl.compiler.baseline import build_baseline
from archdsl.compiler.build import build
from archdsl.document.messages import counted
from archdsl.plan.baseline import Baseline
from archdsl.plan.read import read_model
from archdsl.training.data.dataset import Dataset
from archdsl.training.data.in_memory import Labelled, memory_dataset
from archdsl.training.data.source import open_data
from archdsl.training.device import choose_device, synchronize
from archdsl.training.read import resolve_recipe
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.classification import Classification
from archdsl.training.trainer import Trainer, autocast
from archdsl.usable_cores import usable_cores

CLASSES = 10
WARM_UP = 3
"""Steps that are not timed."""
NETWORKS = ("ViTTM-B(28,28)", "timm's ViT-B/16")
CELLS = {
    "batch": "batch",
    "forward": "forward",
    "step": "training step",
    "read": "training step, pictures read",
}
READ_TIMES = 3
"""Processes that read have their first batches ready together: it is looked on for longer."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of it: the real thing, or as little as goes through all but the compiler."""

    image: int = 224
    batch: int = 256
    pictures: int = 4096
    seconds: float = 5.0
    ways: tuple[bool, ...] = (False, True)
    settings: tuple[str, ...] = ()
    timm: str = "vit_base_patch16_224"

    def network(self, name: str, *, drop_path: float) -> nn.Module:
        if name == NETWORKS[0]:
            words = (*self.settings, f"output.num_classes={CLASSES}")
            return build(read_model("vittm-b-28-28", words).spec, seed=0)
        image = (3, self.image, self.image)
        baseline = Baseline(model=self.timm, image=image, num_classes=CLASSES)
        return build_baseline(baseline, seed=0, drop_path=drop_path)


REAL = Size()
SMOKE = Size(
    image=112,
    batch=4,
    pictures=40,
    seconds=0.1,
    ways=(False,),
    settings=("image.size=112", "depth=1", "process.dim=64"),
    timm="test_vit",
)


def pictures(folder: Path, *, count: int) -> None:
    """JPEGs to train and to validate on; of the former none is quite as another."""
    fill(folder / "train", pictures=min(count, 256))
    fill(folder / "val", pictures=CLASSES)
    made = sorted(folder.glob("train/*/*.jpg"))
    for number in range(len(made), count):
        like = made[number % len(made)]
        content = like.read_bytes() + number.to_bytes(4, "big")  # behind the picture's end
        like.with_name(f"{number:05}.jpg").write_bytes(content)


def noise(size: Size, batch: int) -> Dataset:
    """Some batches of it, in memory."""
    draws, shape = np.random.default_rng(0), (3, size.image, size.image)
    parts = {
        part: Labelled(
            images=draws.integers(0, 256, (count, *shape), dtype=np.uint8),
            labels=np.arange(count) % CLASSES,
        )
        for part, count in (("train", 8 * batch), ("validation", CLASSES))
    }
    names = [str(label) for label in range(CLASSES)]
    return memory_dataset(parts, name="noise", class_names=names, sources={})


class _Enough(Exception):
    """It was looked on for long enough."""


def training(
    model: nn.Module, dataset: Dataset, recipe: Recipe, *, device: torch.device, seconds: float
) -> float:
    """Images a second of the steps that follow the first ones."""
    begun, steps, images = 0.0, 0, 0

    def after_step(_: Tensor, count: int) -> None:
        nonlocal begun, steps, images
        steps, images = steps + 1, images + count
        if steps == WARM_UP:
            synchronize(device)
            begun, images = time.perf_counter(), 0
        elif steps > WARM_UP and time.perf_counter() - begun > seconds:
            synchronize(device)
            raise _Enough

    trainer = Trainer(
        model,
        dataset,
        task=Classification(),
        recipe=recipe,
        seed=0,
        device=device,
        after_step=after_step,
    )
    with closing(trainer):
        try:
            for epoch in range(1, recipe.epochs + 1):
                trainer.train_epoch(epoch)
        except _Enough:
            pass
        return images / (time.perf_counter() - begun)


def forward(model: nn.Module, size: Size, recipe: Recipe, *, device: torch.device) -> float:
    """Images a second of the network that is not trained."""
    images = torch.randn(recipe.batch, 3, size.image, size.image, device=device)
    answer: Any = model.eval()
    if recipe.compile:
        answer = torch.compile(answer, dynamic=False)
    with torch.inference_mode(), autocast(recipe, device):
        for _ in range(WARM_UP):
            answer(images)
        synchronize(device)
        begun, passes = time.perf_counter(), 0
        while time.perf_counter() - begun < size.seconds:
            answer(images)
            passes += 1
            if passes % 8 == 0:  # launching runs ahead
                synchronize(device)
        synchronize(device)
        return passes * recipe.batch / (time.perf_counter() - begun)


def cells(
    name: str, size: Size, *, compiled: bool, batch: int, device: torch.device, folder: Path
) -> Iterator[tuple[str, float]]:
    """The cells of a row, as they become known."""
    words = {
        **resolve_recipe("vittm-in1k-b").model_dump(),
        "epochs": 10_000,
        "amp": "bfloat16",
        "compile": "default" if compiled else None,
    }
    plain = {**words, "crop": "none", "flip": 0.0, "rand_augment": None, "erasing": 0.0}
    model = size.network(name, drop_path=words["drop_path"]).to(device)
    found = None
    while found is None:
        recipe = resolve_recipe({**plain, "batch": batch})
        try:
            data = noise(size, batch)
            found = training(model, data, recipe, device=device, seconds=size.seconds)
        except torch.OutOfMemoryError:
            if batch == 1:
                raise
            batch //= 2
        torch.cuda.empty_cache()
    yield "batch", batch
    yield "step", found
    shown = resolve_recipe({**words, "batch": batch})
    data = open_data(f"folder:{folder}", image_size=(size.image, size.image))
    seconds = READ_TIMES * size.seconds
    yield "read", training(model, data, shown, device=device, seconds=seconds)
    yield "forward", forward(model, size, recipe, device=device)


class Table:
    """What is known so far."""

    def __init__(self, size: Size, device: torch.device) -> None:
        self.rows: dict[tuple[str, bool], dict[str, float]] = {
            (name, compiled): {} for compiled in size.ways for name in NETWORKS
        }
        self.missing: list[str] = []
        self._device = "CPU" if device.type == "cpu" else torch.cuda.get_device_name(device)

    def text(self) -> str:
        lines = [
            "# What a GPU trains",
            "",
            f"`gpu_train.py`, images a second in bfloat16: {self._device}, "
            f"{counted(usable_cores(), 'processor core')}, torch {torch.__version__}, "
            f"timm {timm.__version__}.",
            "",
            f"| network | compiled | {' | '.join(CELLS.values())} |",
            f"|---|---|{'---|' * len(CELLS)}",
        ]
        for (name, compiled), found in self.rows.items():
            values = [f"{found[cell]:.0f}" if cell in found else "" for cell in CELLS]
            lines.append(f"| {name} | {'yes' if compiled else 'no'} | {' | '.join(values)} |")
        if self.missing:
            lines += ["", *self.missing]
        return "\n".join(lines) + "\n"


def measure(row: list[str], found: dict[str, float], *, seconds: float, cache: Path) -> str:
    """Have a process fill a row; what is wrong where it does not.

    Args:
        row: the process's words.
        found: gets the cells.
        seconds: after which it is ended.
        cache: where it keeps what it knows of the pictures.
    """
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", __file__, "--row", *row],
        env={**os.environ, "ARCHDSL_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        over = threading.Timer(max(0.0, seconds), process.kill)
        over.start()
        errors: list[str] = []
        assert process.stdout is not None
        assert process.stderr is not None
        listening = threading.Thread(target=lambda: errors.extend(process.stderr))
        listening.start()
        for line in process.stdout:
            found.update(json.loads(line))
        listening.join()
        in_time = over.is_alive()
        over.cancel()
    if not in_time:
        return "no time was left"
    return (errors or ["it ended"])[-1].strip() if process.returncode else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--minutes", type=float, default=7.5, help="for all of it")
    parser.add_argument("--smoke", action="store_true", help="in seconds, with toys")
    parser.add_argument("-o", "--output", type=Path, help="file of the table")
    parser.add_argument("--row", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    end = time.perf_counter() + 60 * asked.minutes
    device, size = choose_device(asked.device), SMOKE if asked.smoke else REAL
    if asked.row:
        name, way, batch, folder = asked.row
        for cell, value in cells(
            name,
            size,
            compiled=way == "compiled",
            batch=int(batch),
            device=device,
            folder=Path(folder),
        ):
            print(json.dumps({cell: value}), flush=True)
        return
    table = Table(size, device)
    given = ["--device", device.type, *(["--smoke"] if asked.smoke else [])]
    with tempfile.TemporaryDirectory() as place:
        root, fitting = Path(place) / "pictures", dict.fromkeys(NETWORKS, size.batch)
        pictures(root, count=size.pictures)
        for (name, compiled), found in table.rows.items():
            way = "compiled" if compiled else "as it is"
            wrong = measure(
                [name, way, str(int(fitting[name])), str(root), *given],
                found,
                seconds=end - time.perf_counter(),
                cache=Path(place) / "cache",
            )
            fitting[name] = int(found.get("batch", fitting[name]))
            empty = [words for cell, words in CELLS.items() if cell not in found]
            if empty:
                table.missing.append(f"- {name}, {way}: no {', '.join(empty)}: {wrong}")
            if asked.output:
                asked.output.write_text(table.text())
    print(table.text(), end="")


if __name__ == "__main__":
    main()
