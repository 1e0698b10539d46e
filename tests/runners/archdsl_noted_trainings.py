"""The real evaluators, with a diary of the epochs that were really trained, and where.

Worker processes import this module by its name.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from archdsl.measuring.evaluators import Evaluator, make_evaluators
from archdsl.records import Job, Measurement
from archdsl.runners.interfaces import Bound, Runner
from archdsl.runners.make import make_runner
from archdsl.runners.profile import RunProfile

MACHINE = "ARCHDSL_TEST_MACHINE"
"""Environment variable of a machine: its name in the diary."""
HEAD = "head"
EPOCHS = 4
LINGERING_S = 3
"""How long a last epoch takes elsewhere: the processes of a machine that is lost live on a little,
and what they finish counts."""
EVALUATE: dict[str, dict[str, Any]] = {
    "latency": {"device": "cpu", "batch": 1, "precision": 0.5, "max_seconds": 0.3},
    "top1": {"data": "digits", "recipe": "small-images", "epochs": EPOCHS},
}


class Noted:
    """An evaluator whose trainings are written down, epoch by epoch."""

    def __init__(self, evaluator: Evaluator, diary: Path) -> None:
        self.quantity = evaluator.quantity
        self._evaluator, self._diary = evaluator, diary

    def protocol(self) -> Mapping[str, Any]:
        return self._evaluator.protocol()

    def check(self, candidate: Job) -> Sequence[str]:
        return self._evaluator.check(candidate)

    def measure(self, candidate: Job, *, report: Callable[[int, float], None]) -> Measurement:
        # Only here: the processes between the search and the child need no torch.
        from archdsl.training.trainer import Trainer

        train_epoch = Trainer.train_epoch

        def noted(trainer: Trainer, epoch: int, *, begin: int = 0) -> None:
            train_epoch(trainer, epoch, begin=begin)
            machine = os.environ.get(MACHINE, HEAD)
            if epoch == EPOCHS and machine != HEAD:
                time.sleep(LINGERING_S)
            self._write(f"{candidate.number} {epoch} {machine}\n")

        Trainer.train_epoch = noted  # type: ignore[method-assign]  # this process's own
        try:
            return self._evaluator.measure(candidate, report=report)
        finally:
            Trainer.train_epoch = train_epoch  # type: ignore[method-assign]

    def _write(self, line: str) -> None:
        self._diary.parent.mkdir(exist_ok=True)
        file = os.open(self._diary, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, line.encode())
        os.close(file)


def epochs(folder: Path) -> list[tuple[int, int, str]]:
    """Number of the trial, epoch and machine of each epoch that was trained, in their order."""
    path = folder / "diary"
    lines = path.read_text().splitlines() if path.exists() else []
    words = [line.split() for line in lines]
    return [(int(number), int(epoch), machine) for number, epoch, machine in words]


def make(evaluate: Mapping[str, Mapping[str, Any]], profile: RunProfile) -> list[Noted]:
    """What `make_evaluators` makes, each with the diary."""
    return [
        Noted(each, Path(profile.storage) / "diary") for each in make_evaluators(evaluate, profile)
    ]


def make_noted_runner(
    profile: RunProfile,
    *,
    evaluate: Mapping[str, Mapping[str, Any]],
    bounds: Sequence[Bound] = (),
) -> Runner:
    """In place of `make_runner`."""
    return make_runner(profile, evaluate=evaluate, bounds=bounds, make=make)
