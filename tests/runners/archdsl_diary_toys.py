"""Evaluators that keep a diary: what was measured and trained, where, and how often.

They take checkpoints as trainings do. Worker processes import this module by its name.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from archdsl.errors import DataError
from archdsl.records import Job, Measurement
from archdsl.runners.interfaces import Bound, Runner
from archdsl.runners.make import make_runner
from archdsl.runners.profile import RunProfile

EPOCHS = 3
EPOCH_SECONDS = "ARCHDSL_TEST_EPOCH_SECONDS"
NO_DATA = "ARCHDSL_TEST_NO_DATA"
"""Environment variables of a machine: how long an epoch takes, whether data are missing."""

BASE = """\
archdsl: 1
name: tiny
image: {size: 8, channels: 1}
depth: 1
process:
  embed: {type: patch, patch_size: 4}
  dim: 16
  block: {type: transformer, head_dim: 8, mlp_ratio: 1}
output: {task: classify, num_classes: 10}
"""
STUDY: dict[str, Any] = {
    "archdsl": 1,
    "kind": "study",
    "name": "diary",
    "base": "tiny",
    "space": {
        "depth": {"range": [1, 8]},
        "process": {"block": {"mlp_ratio": {"range": [1, 8]}}},
    },
    "objectives": {"latency": "minimize", "top1": "maximize"},
    "evaluate": {
        "latency": {"device": "cpu", "batch": 1},
        "top1": {"data": "digits", "recipe": "small-images", "epochs": 20},
    },
    "budget": {"trials": 12},
    "sampler": {"type": "random", "seed": 0},
}


class Diary:
    """Measures nothing, and writes down that it did."""

    def __init__(self, quantity: str, folder: str) -> None:
        self.quantity = quantity
        self._folder = Path(folder)

    def protocol(self) -> Mapping[str, Any]:
        return {"evaluator": "diary/1", "quantity": self.quantity}

    def check(self, candidate: Job) -> Sequence[str]:
        return ()  # anything goes

    def measure(self, candidate: Job, *, report: Callable[[int, float], None]) -> Measurement:
        value = float(candidate.params.get("depth", 1))
        if self.quantity == "top1":
            self._train(candidate, report)
            value += float(candidate.params.get("process.block.mlp_ratio", 1))
        else:
            self._write("measure", candidate.number)
        return Measurement(
            quantity=self.quantity,
            value=value,
            low=value,
            high=value,
            unit="ms",
            protocol=self.protocol(),
        )

    def _train(self, candidate: Job, report: Callable[[int, float], None]) -> None:
        checkpoint = self._folder / f"{candidate.arch_id}.checkpoint"
        done = json.loads(checkpoint.read_text()) if checkpoint.exists() else 0
        for epoch in range(1, EPOCHS + 1):
            if epoch > done:
                self._write("epoch", candidate.number, epoch)
                time.sleep(float(os.environ.get(EPOCH_SECONDS, "0.02")))
                beside = checkpoint.with_suffix(f".{os.getpid()}")
                beside.write_text(json.dumps(epoch))
                beside.replace(checkpoint)
            report(epoch, 50.0)

    def _write(self, *words: object) -> None:
        self._folder.mkdir(exist_ok=True)
        line = " ".join(map(str, words)) + "\n"
        file = os.open(self._folder / "diary", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, line.encode())
        os.close(file)


def diary(folder: Path) -> list[list[str]]:
    """The diary's lines, as words."""
    path = folder / "diary"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def make(evaluate: Mapping[str, Mapping[str, Any]], profile: RunProfile) -> list[Diary]:
    """Of the quantities a study names; their settings do not matter.

    Raises:
        DataError: the machine has no data to train on.
    """
    if NO_DATA in os.environ and "top1" in evaluate:
        raise DataError("no such folder")
    return [Diary(quantity, profile.storage) for quantity in evaluate]


def make_toy_runner(
    profile: RunProfile,
    *,
    evaluate: Mapping[str, Mapping[str, Any]],
    bounds: Sequence[Bound] = (),
) -> Runner:
    """In place of `make_runner`, for a search that trains nothing."""
    names: dict[str, dict[str, Any]] = {name: {} for name in evaluate}
    return make_runner(profile, evaluate=names, bounds=bounds, make=make)
