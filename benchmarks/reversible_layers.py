"""What Rev-ViT's layers take in training, by depth: run backwards, and with everything kept.

Each way and depth in processes of their own: by how much a step of loss and gradients raises the
process's peak memory over the network itself and a gradient for each weight, and the median time of
a step. While memory is measured, what is freed goes back to the system at once, which takes time.

    python benchmarks/reversible_layers.py --steps 5
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import statistics
import time

import torch

import archdsl
from archdsl.plan.read import read_model
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.classification import Classification

DEPTHS = (2, 6, 12, 24)
BATCH = 8
THRESHOLD = "MALLOC_MMAP_THRESHOLD_"
"""glibc's: larger pieces of memory are the system's again when they are freed."""
SETTINGS = ("image.size=128", "process.embed.patch_size=8", "process.dim=192")
"""256 tokens of the width of ViT-Ti in each stream."""


def step(depth: int, kept: bool, steps: int) -> tuple[float, float]:
    """MiB that a step raises the peak by, and its median milliseconds.

    Args:
        depth: number of layers.
        kept: everything is kept; layers that are hooked into are not run backwards.
        steps: number of steps.
    """
    torch.set_num_threads(1)
    model = archdsl.compile(read_model("rev-vit-b", [*SETTINGS, f"depth={depth}"]).spec).train()
    if kept:
        for layer in model.layers:
            layer.register_forward_hook(lambda *_: None)
    task, recipe = Classification(), Recipe(batch=BATCH)
    targets = torch.zeros(BATCH, dtype=torch.int64)
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)  # zeros are no memory until written to
    before, taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
    for _ in range(steps):
        started = time.perf_counter()
        loss = task.loss(model, torch.randn(BATCH, *model.plan.image), targets, recipe=recipe)
        torch.autograd.backward(loss)
        taken.append(time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (peak - before) / 1024, statistics.median(taken) * 1e3


def alone(depth: int, kept: bool, steps: int) -> tuple[float, float]:
    """`step` in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as process:
        return process.apply(step, (depth, kept, steps))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=5)
    steps = parser.parse_args().steps
    print("| depth | MiB: kept | run backwards | ms a step: kept | run backwards | ratio |")
    print("|---|---|---|---|---|---|")
    for depth in DEPTHS:
        (_, ms), (_, ms_again) = (alone(depth, kept, steps) for kept in (True, False))
        os.environ[THRESHOLD] = "65536"
        (mib, _), (mib_again, _) = (alone(depth, kept, 1) for kept in (True, False))
        del os.environ[THRESHOLD]
        print(
            f"| {depth} | {mib:.0f} | {mib_again:.0f} | {ms:.0f} | {ms_again:.0f} "
            f"| {ms_again / ms:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
