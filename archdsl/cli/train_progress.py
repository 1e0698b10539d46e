"""What a person sees while one network is trained: a line that moves on a terminal, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, SupportsFloat

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from archdsl.cli.printing import duration, say
from archdsl.document.messages import counted
from archdsl.metrics import METRICS, TRAINED
from archdsl.reporting.formatting import number

if TYPE_CHECKING:
    from archdsl.training.run_folder import Epoch

SECONDS_BETWEEN_LOOKS = 1.0
"""At the loss: to look is to wait for the device."""


class TrainProgress:
    """Looks on; see `archdsl.training.watch.Watch`.

    Args:
        folder: of the training.
        told: what was said of earlier trainings, and need not be again.
    """

    def __init__(self, folder: Path, told: set[str] | None = None) -> None:
        self._folder = folder
        self._told = set() if told is None else told
        self._epochs = self._done = self._images = self._in_epoch = self._of = 0
        self._metric = ""
        self._looked = self._began = time.monotonic()
        self._device: Any = None
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[told]}"),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("", told="", visible=False)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def interrupted(self) -> str:
        """What was left behind, and how to go on."""
        if not self._epochs:
            return "interrupted before the training began; run the same command again"
        done = f"{self._done} of {counted(self._epochs, 'epoch')}"
        return f"interrupted; {done} kept in {self._folder}\nthe same command goes on from there"

    def say(self, sentence: str) -> None:
        if sentence not in self._told:
            say(sentence)
        self._told.add(sentence)

    def on_start(
        self,
        name: str,
        record: Mapping[str, Any],
        *,
        images: int,
        device: Any,
        needed_bytes: int,
    ) -> None:
        recipe = record["recipe"]
        self._epochs, self._of, self._device = recipe["epochs"], images, device
        say(
            f"training {name} ({record['arch_id']}) on {device.type}: "
            f"{counted(self._epochs, 'epoch')} of {counted(images, 'image')} in batches of "
            f"{recipe['batch']}, at least {size_text(needed_bytes)} of memory"
        )
        self._bar.update(self._task, total=self._epochs * self._of, visible=True)
        self._began = time.monotonic()

    def on_step(self, loss: SupportsFloat, images: int) -> None:
        self._images += images
        self._in_epoch += images
        if self._bar.disable or time.monotonic() - self._looked < SECONDS_BETWEEN_LOOKS:
            return
        from archdsl.training.watch import peak_mib

        self._looked = time.monotonic()
        speed = self._images / (self._looked - self._began)
        left = (self._epochs - self._done) * self._of - self._in_epoch
        told = [
            f"{speed:,.0f} images/s",
            f"loss {float(loss):.3f}",
            self._metric,
            f"{peak_mib(self._device) / 1024:.1f} GiB",
            f"{duration(left / speed)} left",
        ]
        self._bar.update(
            self._task,
            completed=self._done * self._of + self._in_epoch,
            description=f"epoch {self._done + 1}/{self._epochs}",
            told="  ".join(filter(None, told)),
        )

    def on_epoch(self, epoch: Epoch) -> None:
        self._done, self._in_epoch = epoch.epoch, 0
        metric = TRAINED[0]
        self._metric = f"{metric} {epoch.values[metric]:.1f} {METRICS[metric].unit}"


def size_text(count: int) -> str:
    """`4.57 MiB`, `12.3 GiB`."""
    mebibytes = count / 2**20
    return f"{number(mebibytes)} MiB" if mebibytes < 1024 else f"{number(mebibytes / 1024)} GiB"
