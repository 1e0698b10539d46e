"""How many pictures a second does the loader read, beside timm's, and does its memory grow?

Made JPEGs of about 0.17 megapixels, brought to 224 x 224 by crops of random size, flips,
RandAugment and erasing. Each reading is a process of its own, bound to so many cores, in turns;
timm's loader with as many worker processes as that, and with one fewer.

    python benchmarks/loading.py --pictures 1280 --rounds 3
    python benchmarks/loading.py --epochs 50
    python benchmarks/loading.py --pictures 320 --epochs 11 --asleep

With `--asleep` a picture takes 3 ms and no core: what is left is what the loaders themselves take,
whatever else the cores are busy with.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from PIL import Image

SIDE, BATCH, CLASSES = 224, 64, 10
ASLEEP = 0.003
"""Seconds."""
NOWHERE = Path("/asleep")
"""In place of a folder: so many pictures of `Asleep`."""
RECIPE = {
    "crop": "random_resized",
    "flip": 0.5,
    "rand_augment": {"magnitude": 8, "std": 0.0},
    "erasing": 0.25,
}


def fill(root: Path, *, pictures: int) -> None:
    """Coloured clouds: what a photograph costs to decode."""
    generator = np.random.default_rng(0)
    for number in range(pictures):
        folder = root / f"class-{number % CLASSES}"
        folder.mkdir(parents=True, exist_ok=True)
        layers = [
            np.asarray(
                Image.fromarray(generator.integers(0, 256, (side, side, 3), dtype=np.uint8)).resize(
                    (480, 360), Image.Resampling.BICUBIC
                )
            )
            for side in (8, 180)
        ]
        Image.fromarray((0.7 * layers[0] + 0.3 * layers[1]).astype(np.uint8)).save(
            folder / f"{number:05}.jpg", quality=88
        )


class Asleep:
    """Stands for pictures, for their views and for timm's data set: takes time, but no core."""

    shape, whole, broken, transform = (3, SIDE, SIDE), True, None, None

    def __init__(self, count: int) -> None:
        self.labels, self._shown = torch.zeros(count, dtype=torch.int64), torch.zeros(self.shape)

    def __len__(self) -> int:
        return len(self.labels)

    def decoders(self, **_: bool) -> int:
        return len(os.sched_getaffinity(0))

    def picture(self, index: int) -> None:
        time.sleep(ASLEEP)

    def draw(self, picture: None, **_: int) -> torch.Tensor:
        return self._shown

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        time.sleep(ASLEEP)
        return self._shown, 0


def ours(root: Path, *, epochs: int) -> Iterator[int]:
    """Images in each batch of so many epochs."""
    from archdsl.training.data.loading import batches
    from archdsl.training.data.source import open_data
    from archdsl.training.data.views import views_of
    from archdsl.training.read import resolve_recipe

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    train: Any = Asleep(int(root.name)) if root.parent == NOWHERE else None
    views: Any = train
    if train is None:
        train = open_data(f"folder:{root}", image_size=(SIDE, SIDE)).train
        views = views_of(resolve_recipe(RECIPE), train, seed=0)
    torch.set_num_threads(1)
    orders = (torch.split(torch.randperm(len(train)), BATCH) for _ in range(epochs))
    with closing(batches(train, orders, device=torch.device("cpu"), views=views)) as read:
        for _ in range(epochs):
            yield 0
            for images, _labels in islice(read, math.ceil(len(train) / BATCH)):
                yield len(images)


def timms(root: Path, *, epochs: int, workers: int) -> Iterator[int]:
    """The same with timm's loader; its worker processes stay from one epoch to the next."""
    from timm.data import create_dataset, create_loader  # type: ignore[attr-defined]

    torch.set_num_threads(1)
    pictures: Any = (
        Asleep(int(root.name))
        if root.parent == NOWHERE
        else create_dataset("", root=str(root / "train"))
    )
    loader = create_loader(
        pictures,
        (3, SIDE, SIDE),
        BATCH,
        is_training=True,
        use_prefetcher=False,
        hflip=0.5,
        auto_augment="rand-m8-n2-inc1",
        interpolation="bicubic",
        re_prob=0.25,
        re_mode="pixel",
        num_workers=workers,
        pin_memory=False,
        persistent_workers=workers > 0,
        device=torch.device("cpu"),
    )
    for _ in range(epochs):
        yield 0
        for images, _labels in loader:
            yield len(images)


def one(root: Path, name: str, workers: int, epochs: int) -> None:
    """Print images a second of all epochs but the first, and the memory after each."""
    read = (
        ours(root, epochs=epochs) if name == "ours" else timms(root, epochs=epochs, workers=workers)
    )
    begun, images, memory = 0.0, 0, []
    for count in read:
        if count == 0:
            memory.append(psutil.Process().memory_info().rss / 2**20)
            if len(memory) == 2:
                begun = time.perf_counter()
        elif len(memory) > 1:
            images += count
    rate = images / (time.perf_counter() - begun)
    print(f"{rate:.1f} {memory[min(5, len(memory) - 1)]:.0f} {memory[-1]:.0f}")


def measured(root: Path, name: str, *, cores: int, workers: int, epochs: int) -> list[float]:
    words = [str(root), name, str(workers), str(epochs)]
    command = [sys.executable, "-W", "ignore", __file__, "--one", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": str(cores)}
    done = subprocess.run(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, range(cores)),
    )
    return [float(word) for word in done.stdout.split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=int, default=1280, help="a multiple of 64")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2, help="the first warms up")
    parser.add_argument("--asleep", action="store_true")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        root, name, workers, epochs = asked.one
        one(Path(root), name, int(workers), int(epochs))
        return
    with tempfile.TemporaryDirectory() as place:
        root = NOWHERE / str(asked.pictures) if asked.asleep else Path(place)
        if not asked.asleep:
            fill(root / "train", pictures=asked.pictures)
            fill(root / "val", pictures=CLASSES)
        print(f"{platform.machine()}, {asked.pictures} pictures, {asked.rounds} rounds")
        for cores in (1, 2):
            settings = [("ours", 0), ("timm", cores - 1), ("timm", cores)]
            found: dict[tuple[str, int], list[list[float]]] = {each: [] for each in settings}
            for _ in range(asked.rounds):
                for name, workers in settings:
                    found[name, workers].append(
                        measured(root, name, cores=cores, workers=workers, epochs=asked.epochs)
                    )
            own = statistics.median(rate for rate, *_ in found["ours", 0])
            for (name, workers), rows in found.items():
                rate = statistics.median(rate for rate, *_ in rows)
                told = "its own choice" if name == "ours" else f"{workers} workers"
                print(
                    f"{cores} cores  {name:<5} {told:<15} {rate:7.0f} images/s  "
                    f"ours / this {own / rate:.2f}  "
                    f"memory {rows[-1][1]:.0f} MB, at the end {rows[-1][2]:.0f} MB"
                )


if __name__ == "__main__":
    main()
