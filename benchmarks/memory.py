"""Does memory grow from candidate to candidate of a search, or from epoch to epoch of a training?

A search on the digits, whose candidates are trained for an epoch each; and one network trained for
as many epochs. The resident memory of the process that trains and, of the search, that of the
process that searches, after a fifth of them and after each fifth from there on.

    python benchmarks/memory.py --count 50
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import torch

import archdsl
from archdsl.records import Job, Outcome
from archdsl.training.data.source import open_data
from archdsl.training.loop import fit
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.classification import Classification

FIFTHS = 5


def resident_mb(process: psutil.Process) -> float:
    return process.memory_info().rss / 2**20


class Onlooker:
    """Notes the memory of this process and of the one that trains, candidate by candidate."""

    def __init__(self) -> None:
        self.searching: list[float] = []
        self.training: list[float] = []

    def on_start(self, job: Job) -> None: ...

    def on_epoch(self, job: Job, epoch: int, name: str, value: float) -> None: ...

    def on_end(self, job: Job, outcome: Outcome) -> None:
        me = psutil.Process()
        self.searching.append(resident_mb(me))
        self.training.append(max(map(resident_mb, me.children())))


def study(count: int) -> Mapping[str, Any]:
    """The default study, without latencies and at an epoch a candidate."""
    return {
        "archdsl": 1,
        "kind": "study",
        "name": "memory",
        "base": "vittm-digits",
        "space": {
            "depth": {"choose": [1, 2, 3, 4]},
            "process": {
                "dim": {"choose": [32, 48, 64, 96]},
                "block": {"mlp_ratio": {"choose": [1, 2, 4]}},
            },
            "memory": {"embed": {"patch_size": {"choose": [1, 2, 4]}}},
        },
        "objectives": {"macs": "minimize", "top1": "maximize"},
        "evaluate": {"top1": {"data": "digits", "recipe": "small-images", "epochs": 1}},
        "budget": {"trials": count},
        "sampler": {"type": "random", "seed": 0},
    }


def searched(count: int) -> Onlooker:
    onlooker = Onlooker()
    with tempfile.TemporaryDirectory() as place:
        archdsl.search(study(count), db=Path(place) / "memory.db", observer=onlooker)
    return onlooker


def trained(count: int) -> list[float]:
    torch.set_num_threads(1)
    found: list[float] = []
    fit(
        archdsl.compile(archdsl.load("vittm-digits")),
        open_data("digits"),
        task=Classification(),
        recipe=Recipe(epochs=count),
        seed=0,
        device=torch.device("cpu"),
        storage=None,
        report=lambda *_: found.append(resident_mb(psutil.Process())),
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=50, help="of candidates, and of epochs")
    count = parser.parse_args().count
    onlooker = searched(count)
    rows = {
        "a search: the process that trains": onlooker.training,
        "a search: the process that searches": onlooker.searching,
        "a training, by epochs": trained(count),
    }
    places = [count * fifth // FIFTHS for fifth in range(1, FIFTHS + 1)]
    print(f"| MB after | {' | '.join(map(str, places))} |")
    print(f"|---|{'---|' * FIFTHS}")
    for name, found in rows.items():
        print(f"| {name} | {' | '.join(f'{found[place - 1]:.0f}' for place in places)} |")


if __name__ == "__main__":
    main()
