"""What a second thread does for a training step, by the size of the work.

Steps of networks with one thread and with all usable cores, in turns in one process; the median of
each, their ratio, and what `archdsl.training.device.threads_for` makes of it. A ratio far above 1
is a thread that waits, spinning, for another that is not running: with as many threads as cores,
whatever else runs can cause it.

    python benchmarks/training_threads.py --seconds 5
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

import archdsl
from archdsl.plan.cost import cost
from archdsl.plan.read import read_model
from archdsl.training.device import threads_for
from archdsl.training.optimizer import build_optimizer
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.classification import Classification
from archdsl.usable_cores import usable_cores

CASES = (
    ("vittm-digits", 16),
    ("vittm-digits", 64),
    ("vittm-digits", 256),
    ("vittm-digits", 1024),
    ("vittm-b-28-28", 1),
    ("vit-b-16", 2),
)
"""Document and batch."""


def step_ms(name: str, batch: int, *, seconds: float) -> dict[int, float]:
    """Threads to the median milliseconds of a step."""
    spec = archdsl.load(name)
    model = archdsl.compile(spec).train()
    optimizer, task = build_optimizer(model, Recipe(batch=batch)), Classification()
    images = torch.randn(batch, spec.image.channels, *spec.image.size)
    targets = torch.randint(0, 10, (batch,))
    taken: dict[int, list[float]] = {1: [], usable_cores(): []}
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends or not min(map(len, taken.values())):
        for threads, found in taken.items():
            torch.set_num_threads(threads)
            for counted in (False, True):  # the first brings the threads to life
                started = time.perf_counter()
                optimizer.zero_grad()
                loss = task.loss(model, images, targets, recipe=Recipe(batch=batch))
                torch.autograd.backward(loss)
                optimizer.step()
                if counted:
                    found.append((time.perf_counter() - started) * 1e3)
    return {threads: statistics.median(found) for threads, found in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="for each network")
    seconds = parser.parse_args().seconds
    cores = usable_cores()
    print(f"torch {torch.__version__}, {cores} usable cores")
    for name, batch in CASES:
        found = step_ms(name, batch, seconds=seconds)
        plan = read_model(name).plan
        chosen = threads_for(plan, batch=batch, most=cores, device=torch.device("cpu"))
        print(
            f"{name}, batch {batch}: {batch * cost(plan).macs / 1e9:.2f} G multiply-adds; "
            f"1 thread {found[1]:.1f} ms, {cores} threads {found[cores]:.1f} ms, ratio "
            f"{found[cores] / found[1]:.2f}; chosen: {chosen}",
            flush=True,
        )


if __name__ == "__main__":
    main()
