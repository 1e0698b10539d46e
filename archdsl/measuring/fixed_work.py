"""Work that is always the same, so that its time tells of the device and not of a network.

What its times were is kept beside the locks' lock files, for later processes on this host.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any

import torch

from archdsl.device_lock import lock_folder
from archdsl.files import write_whole
from archdsl.identity import digest
from archdsl.measuring.clock import Call, clock_of, time_calls
from archdsl.measuring.devices import tf32
from archdsl.records import Json

SECONDS = 0.02
"""Of calls behind one time, at least."""
LEAST_CALLS = 3


def seeded(device: torch.device) -> Callable[..., torch.Tensor]:
    """Draws tensors of given shapes, always the same ones in float32: normal values that keep the
    scale of what they are multiplied with."""
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> torch.Tensor:
        found = torch.randn(*shape, generator=generator, device="cpu")
        return found.mul_(shape[-1] ** -0.5).to(device)

    return drawn


class FixedWork:
    """A call whose time is taken, with as many threads as the measurement beside it.

    Args:
        call: the work, once.
        device: where it runs.
    """

    def __init__(self, call: Call, *, device: torch.device) -> None:
        self.call, self._clock = call, clock_of(device)
        self._on_gpu = device.type == "cuda"
        self.time_ms()  # the first calls choose kernels and touch the memory

    def time_ms(self) -> float:
        """Median time of one call in ms; takes about 20 ms, or three calls."""
        samples: list[float] = []
        with torch.inference_mode(), tf32(False) if self._on_gpu else nullcontext():
            while len(samples) < LEAST_CALLS or sum(samples) < SECONDS * 1e3:
                samples.append(time_calls(self.call, clock=self._clock))
        return median(samples)


def _own(path: Path) -> Path:
    """The file, or a name beside it where it is another user's, who may have it to write alone."""
    uid = os.getuid()
    if not path.exists() or path.stat().st_uid == uid:
        return path
    return path.with_name(f"{path.stem}-{uid}{path.suffix}")


class KeptTimes:
    """What is known on this host of one fixed work's times, in a file.

    Read and written while the device is locked, so that nobody else writes at the same time.

    Args:
        name: of the work.
        version: of the work: times of different versions are not compared.
        fingerprint: of the device.
    """

    def __init__(self, name: str, *, version: str, fingerprint: Json) -> None:
        key = digest({name: version, "fingerprint": fingerprint})
        self._path = _own(lock_folder() / f"{name}-{key}.json")
        self._head, self._fingerprint = {name: version}, fingerprint

    def read(self, word: str) -> Any:
        """What is kept under a word; None where there is nothing yet, or it is damaged."""
        try:
            return json.loads(self._path.read_text(encoding="utf-8"))[word]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, word: str, value: Json) -> None:
        """
        Raises:
            WriteError: the folder refuses the file.
        """
        found = {**self._head, word: value, "fingerprint": self._fingerprint}
        write_whole(self._path, json.dumps(found, indent=1))
