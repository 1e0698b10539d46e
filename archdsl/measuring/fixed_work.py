"""Work that is always the same, so that its time tells of the device and not of a network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import nullcontext
from statistics import median

import torch

from archdsl.measuring.clock import clock_of, time_calls
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
        self._device, self._clock = device, clock_of(device)
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
        on_gpu = self._device.type == "cuda"
        with torch.inference_mode(), tf32(False) if on_gpu else nullcontext():
            while len(samples) < LEAST_CALLS or sum(samples) < SECONDS * 1e3:
                samples.append(time_calls(self.call, clock=self._clock))
        return median(samples)
