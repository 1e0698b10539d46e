"""How fast are rewritten networks, beside plain ones, beside ViT-B/16 with every help it can use?

Forward calls in float32, timed in turns: as they are, rewritten (`--optimize`), compiled, and
rewritten, compiled and frozen. Each share is of timm's eager ViT-B/16, from pairs of neighbouring
blocks; the largest product of two matrices that this machine makes in the same time is told too.

    python benchmarks/inference.py --models vittm-b-28-28,vittm-b-32-16 --batches 8,1
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Sequence
from statistics import median

import torch

from archdsl.analysis.statistics import ratio_of_pairs
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.count import count
from archdsl.measuring.devices import applied, find_device, locked
from archdsl.measuring.models import resolve_all
from archdsl.measuring.timing import Workload

REFERENCE = "timm:vit_base_patch16_224"
WAYS = {
    "as it is": {},
    "rewritten": {"optimize": True},
    "compiled": {"compile": "default"},
    "rewritten, compiled and frozen": {"compile": "default", "optimize": True},
}


def product_rate() -> float:
    """Multiply-adds a second of large float32 products."""
    a = torch.randn(1024, 1024)
    times = []
    for _ in range(9):
        begun = time.perf_counter()
        for _ in range(4):
            a @ a
        times.append(time.perf_counter() - begun)
    return 4 * 1024**3 / median(times)


def compare(
    names: Sequence[str], *, batch: int, threads: int, rounds: int, ways: list[str]
) -> None:
    """The table of one batch size."""
    device = find_device("cpu")
    subjects = resolve_all(list(names))
    words = {"device": "cpu", "batch": batch, "threads": threads, "heads": "predicted"}
    with applied(Conditions(**words), device), locked(device):
        rate = product_rate()
        made, seconds = {}, {}
        for subject in subjects:
            for way in ways:
                begun = time.perf_counter()
                made[subject.label, way] = Workload(
                    subject.module,
                    image_shape=subject.image_shape,
                    conditions=Conditions(**words, **WAYS[way]),
                    device=device,
                )
                seconds[subject.label, way] = time.perf_counter() - begun
        blocks: dict[tuple[str, str], list[Sequence[float]]] = {key: [] for key in made}
        for workload in made.values():
            workload.warm_up(blocks=1)
        for _ in range(rounds):
            for key, workload in made.items():
                blocks[key].append(workload.block())
    reference = blocks[subjects[0].label, "as it is"]
    macs = {each.label: count(each.module, image_shape=each.image_shape).macs for each in subjects}
    print(f"\n## Batch {batch}, {threads} threads, {rounds} rounds\n")
    print("| model | way | ms | of ViT-B/16 as it is | 95 % | of the rate of products | ready in |")
    print("|---|---|---|---|---|---|---|")
    for (label, way), taken in blocks.items():
        share = ratio_of_pairs(taken, reference)
        low, high, _ = share.interval
        ms = median(median(block) for block in taken)
        reached = macs[label] * batch / (ms / 1e3) / rate
        print(
            f"| {label} | {way} | {ms:.1f} | {share.value:.3f} | {low:.3f} to {high:.3f} | "
            f"{reached:.2f} | {seconds[label, way]:.0f} s |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", default="vittm-b-28-28,vittm-b-32-16")
    parser.add_argument("--batches", default="8,1")
    parser.add_argument("--ways", default=",".join(map(str, range(len(WAYS)))))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    print(f"{platform.machine()}, torch {torch.__version__}")
    for batch in asked.batches.split(","):
        compare(
            [REFERENCE, *asked.models.split(",")],
            batch=int(batch),
            threads=asked.threads,
            rounds=asked.rounds,
            ways=[[*WAYS][int(place)] for place in asked.ways.split(",")],
        )


if __name__ == "__main__":
    main()
