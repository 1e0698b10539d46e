"""What do three minutes on MNIST come to, and what does a network that knows other digits save?

    python benchmarks/mnist.py mnist.npz                    two networks, trained from nothing
    python benchmarks/mnist.py mnist.npz --transfer         from the digits 0 to 4 to 5 to 9

Each training is a process with both of two cores, or as many as --threads says.
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
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import archdsl

BLOCK = {"type": "transformer", "head_dim": 32, "mlp_ratio": 2}
HEADS = {"type": "linear_attention", "latent_ratio": 0.5, "fusion": "add"}
STEMS: dict[str, Any] = {
    "patch": {"type": "patch", "patch_size": 4},
    "conv_stem": {"type": "conv_stem", "strides": [2, 2], "kernels": [3, 3]},
}
RECIPE: dict[str, Any] = {
    "epochs": 3,
    "batch": 128,
    "optimizer": "muon",
    "lr": 0.004,
    "min_lr": 0.00001,
    "warmup_epochs": 0.2,
    "weight_decay": 0.05,
    "clip_grad": 1.0,
    "label_smoothing": 0.1,
    "amp": "bfloat16",
    "crop": "pad",
}
A_CLASS = 25
"""Pictures of each new digit, of which five validate."""
SCORED = 20_000
"""The last pictures of the training part test what is tuned: nothing was chosen by them."""


def network(stem: str, classes: int = 10) -> dict[str, Any]:
    """The document of a ViTTM with 16 process and 49 memory tokens."""
    return {
        "archdsl": 1,
        "name": f"mnist-{stem}",
        "image": {"size": 28, "channels": 1},
        "depth": 2,
        "process": {"embed": {"type": "patch", "patch_size": 7}, "dim": 128, "block": BLOCK},
        "memory": {"embed": STEMS[stem]},
        "exchange": {
            "norm": {"placement": "replace", "shared": True},
            "read": HEADS,
            "write": HEADS,
        },
        "output": {"num_classes": classes, "streams": ["memory", "process"], "predict": "mean"},
    }


def told_of(words: Mapping[str, Any]) -> dict[str, float]:
    """A training in a process of its own: its scores, and the minutes of all of it."""
    begun = time.perf_counter()
    said = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "", "--one", json.dumps(words)],
        env={**os.environ, "OMP_NUM_THREADS": str(words["threads"])},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    return {**json.loads(said.splitlines()[-1]), "minutes": (time.perf_counter() - begun) / 60}


def from_nothing(data: str, *, seeds: int, threads: int) -> None:
    for stem in STEMS:
        rows = []
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as folder:
                rows.append(
                    told_of(
                        {
                            "spec": network(stem),
                            "data": data,
                            "recipe": RECIPE,
                            "seed": seed,
                            "threads": threads,
                            "folder": f"{folder}/run",
                        }
                    )
                )
            print(stem, seed, {word: round(value, 2) for word, value in rows[-1].items()})
        _told(stem, rows)


def transfer(path: Path, *, seeds: int, threads: int) -> None:
    """A network that knows 0 to 4, tuned and a few pictures of 5 to 9; beside it, from nothing."""
    found: dict[str, list[dict[str, float]]] = {"tuned": [], "from nothing": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        known = {
            "spec": network("conv_stem", 5),
            "data": _written(path, folder / "known.npz", range(5)),
            "recipe": {**RECIPE, "epochs": 3},
            "threads": threads,
            "folder": str(folder / "known"),
        }
        told_of(known)
        for seed in range(seeds):
            few = _written(path, folder / f"few-{seed}.npz", range(5, 10), seed=seed)
            for way, init in (("tuned", str(folder / "known")), ("from nothing", None)):
                words = {**known, "data": few, "recipe": "finetune", "seed": seed, "init": init}
                found[way].append(told_of({**words, "folder": str(folder / f"{way} {seed}")}))
                print(way, seed, {word: round(v, 2) for word, v in found[way][-1].items()})
    for way, rows in found.items():
        _told(way, rows)


def _written(path: Path, target: Path, digits: range, *, seed: int | None = None) -> str:
    """Pictures of some digits, and where they lie: all, or a few of each for a seed."""
    held = np.load(path)
    images, labels = held["x_train"], held["y_train"]
    wanted = np.isin(labels, digits)
    train = np.flatnonzero(wanted[:-SCORED])
    if seed is not None:
        drawn = np.random.default_rng(seed).permutation(train)
        train = np.concatenate([drawn[labels[drawn] == digit][:A_CLASS] for digit in digits])
    test = np.flatnonzero(wanted[-SCORED:]) + len(labels) - SCORED
    parts = {
        word: value
        for part, places in (("train", train), ("test", test))
        for word, value in (
            (f"x_{part}", images[places]),
            (f"y_{part}", labels[places] - digits.start),
        )
    }
    np.savez(target, **parts, class_names=np.array([str(digit) for digit in digits]))
    return f"npz:{target}"


def _told(what: str, rows: list[dict[str, float]]) -> None:
    scores, minutes = ([row[word] for row in rows] for word in ("test_top1", "minutes"))
    print(
        f"{what}: test top-1 {statistics.mean(scores):.2f} % (from {min(scores):.2f} to "
        f"{max(scores):.2f}), at most {max(minutes):.1f} minutes",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", help="an npz file with x_train, y_train, x_test and y_test")
    parser.add_argument("--transfer", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        words = json.loads(asked.one)
        bundle = archdsl.train(words.pop("spec"), **words)
        print(json.dumps({each["quantity"]: float(each["value"]) for each in bundle.scores}))
        return
    path = Path(asked.data).absolute()
    if asked.transfer:
        transfer(path, seeds=asked.seeds, threads=asked.threads)
    else:
        from_nothing(f"npz:{path}", seeds=asked.seeds, threads=asked.threads)


if __name__ == "__main__":
    main()
