"""Work that is always the same, so that its time tells of the device and not of a network."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from statistics import median

import torch

from archdsl.measuring import cuda
from archdsl.measuring.devices import tf32

SECONDS = 0.02
"""Of calls behind one time, at least."""
LEAST_CALLS = 3


class FixedWork(ABC):
    """Seeded work in float32, with as many threads as the measurement beside it.

    Args:
        device: where it runs.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._generator = torch.Generator().manual_seed(0)

    def drawn(self, *shape: int) -> torch.Tensor:
        """Normal values that keep the scale of what they are multiplied with."""
        values = torch.randn(*shape, generator=self._generator)
        return values.mul_(shape[-1] ** -0.5).to(self._device)

    @abstractmethod
    def call(self) -> object:
        """The work, once."""

    def time_ms(self) -> float:
        """Median time of one call in ms; takes about 20 ms, or three calls."""
        samples: list[float] = []
        started = time.perf_counter()
        with torch.inference_mode():
            if self._device.type == "cuda":
                with tf32(False):
                    return self._cuda_ms()
            while len(samples) < LEAST_CALLS or time.perf_counter() - started < SECONDS:
                before = time.perf_counter()
                self.call()
                samples.append((time.perf_counter() - before) * 1e3)
        return median(samples)

    def _cuda_ms(self) -> float:
        samples: list[float] = []
        while len(samples) < LEAST_CALLS or sum(samples) < SECONDS * 1e3:
            samples.append(cuda.elapsed_ms(self.call, calls=1, device=self._device))
        return median(samples)
