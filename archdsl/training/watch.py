"""Who looks on while one network is trained, and the table that is made of what the loop tells."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from archdsl.training.loop import Values
from archdsl.training.run_folder import (
    EPOCHS,
    Epoch,
    RunFolder,
    read_epochs,
    write_epochs,
)


class Watch(Protocol):
    """Looks on while a network is trained."""

    def say(self, sentence: str) -> None:
        """What a person should know before it is paid for."""

    def on_start(
        self,
        name: str,
        record: Mapping[str, Any],
        *,
        images: int,
        device: torch.device,
        needed_bytes: int,
    ) -> None:
        """It begins, or goes on.

        Args:
            name: of the network.
            record: what decides it; see `Asked.record`.
            images: those to train on.
            device: where.
            needed_bytes: so much memory at least.
        """

    def on_step(self, loss: Tensor, images: int) -> None:
        """A step is done; see `archdsl.training.loop.fit`."""

    def on_epoch(self, epoch: Epoch) -> None:
        """An epoch is kept; those that were found are told again."""


class Meter:
    """Makes a table of what the loop tells of, kept in the folder from epoch to epoch."""

    def __init__(self, run: RunFolder, watch: Watch, device: torch.device) -> None:
        self.epochs: list[Epoch] = []
        self._path, self._watch, self._device = run / EPOCHS, watch, device
        self._kept = read_epochs(self._path)
        self._begin()

    def _begin(self) -> None:
        self._started = self._stepped = time.perf_counter()
        self._images, self._loss = 0, torch.zeros(())

    def on_step(self, loss: Tensor, images: int) -> None:
        self._images += images
        self._loss = self._loss.to(loss.device) + loss * images
        self._stepped = time.perf_counter()
        self._watch.on_step(loss, images)

    def on_report(self, number: int, values: Values) -> None:
        if self._images:
            epoch = Epoch(
                epoch=number,
                values=values,
                loss=float(self._loss) / self._images,
                seconds=time.perf_counter() - self._started,
                images_per_second=self._images / (self._stepped - self._started),
                memory_mib=peak_mib(self._device),
            )
            self._kept.clear()
        else:  # of a process before
            epoch = self._kept.get(number, Epoch(epoch=number, values=values))
        self.epochs.append(epoch)
        if self._kept.pop(number, None) != epoch:
            write_epochs(self._path, [*self.epochs, *self._kept.values()])
        self._watch.on_epoch(epoch)
        self._begin()


def peak_mib(device: torch.device) -> float:
    """The most memory that was in use so far: of a GPU, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
