"""How long work takes: clocks alike for the host and for a GPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

Call = Callable[[], Any]

# Given a type here: torch leaves this constructor without any.
_event: Callable[..., torch.cuda.Event] = torch.cuda.Event


class CpuClock:
    """The host's clock: a call returns when its work is done."""

    def moment(self) -> Any:
        """When all work given to the host so far is done: now."""
        return time.perf_counter()

    def wait(self) -> None:
        """Nothing is left to be done."""

    def ms(self, start: Any, end: Any) -> float:
        """Time between two moments in ms."""
        return float(end - start) * 1e3


class CudaClock:
    """The clock of a GPU, by events in its stream of work.

    Args:
        device: the GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._work = torch.cuda.current_stream(device)

    def moment(self) -> Any:
        """When all work given to the GPU so far is done."""
        event = _event(enable_timing=True)
        event.record(self._work)
        return event

    def wait(self) -> None:
        """Return when all work given to the GPU so far is done."""
        torch.cuda.synchronize(self._device)

    def ms(self, start: Any, end: Any) -> float:
        """Time between two moments in ms; to be asked after `wait`."""
        return float(start.elapsed_time(end))


Clock = CpuClock | CudaClock
"""Notes moments in the work of a device and tells the time between two of them."""


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
