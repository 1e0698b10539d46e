"""How long work takes: one protocol for clocks, by the host's own or by a GPU's."""

from __future__ import annotations

import time
from typing import Any, Protocol

import torch

from archdsl.measuring.cuda import Call, CudaClock


class Clock(Protocol):
    """Notes moments in the work of a device and tells the time between two of them."""

    def moment(self) -> Any:
        """When all work given to the device so far is done."""

    def wait(self) -> None:
        """Return when all work given to the device so far is done."""

    def ms(self, start: Any, end: Any) -> float:
        """Time between two moments in ms; to be asked after `wait`."""


class CpuClock:
    """The host's clock: a call returns when its work is done."""

    def moment(self) -> float:
        return time.perf_counter()

    def wait(self) -> None:
        """Nothing is left to be done."""

    def ms(self, start: float, end: float) -> float:
        return (end - start) * 1e3


def clock_of(device: torch.device) -> Clock:
    """The clock that work on `device` is timed by."""
    return CudaClock(device) if device.type == "cuda" else CpuClock()


def time_calls(call: Call, *, clock: Clock, calls: int = 1) -> float:
    """Time of `calls` calls in a row in ms, to the end of their work."""
    clock.wait()
    start = clock.moment()
    for _ in range(calls):
        call()
    end = clock.moment()
    clock.wait()
    return clock.ms(start, end)
