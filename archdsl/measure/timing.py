"""Timing one network's forward call: a workload, its warm-up, and samples in blocks."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import nn

from archdsl.errors import MeasureError
from archdsl.measure.conditions import Conditions

SHORTEST_SAMPLE_MS = 1.0
"""Shorter calls are timed several at once: the clock's own cost must not show."""
BLOCK_SECONDS = 0.1
BLOCK_SAMPLES = 5
PAUSE_SECONDS = 0.02
"""Between blocks, so that they do not all see one short disturbance."""
WARM_WINDOW_SECONDS = 0.05
WARM_WINDOW_SAMPLES = 3
WARM_TOLERANCE = 0.02
"""The device is warm when the medians of two windows in a row differ by less."""

_cuda_event: Callable[..., torch.cuda.Event] = torch.cuda.Event
"""Given a type here: torch leaves the constructor without one."""


class Workload:
    """A network in evaluation mode on a device, with one batch of images.

    Works on a copy of the network: the caller's stays where it is, in its type and mode.

    Args:
        model: takes images (batch, channels, height, width).
        image_shape: (channels, height, width).
        conditions: what the call is timed under.
        device: where it runs.

    Raises:
        MeasureError: all heads are asked for and the model has no `forward_heads`.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        image_shape: tuple[int, int, int],
        conditions: Conditions,
        device: torch.device,
    ) -> None:
        dtype: torch.dtype = getattr(torch, conditions.dtype)
        self._device = device
        self._network = copy.deepcopy(model).eval().to(device=device, dtype=dtype)
        self._forward = _entry(self._network, conditions)
        generator = torch.Generator().manual_seed(0)
        images = torch.randn(conditions.batch, *image_shape, generator=generator)
        self._images = images.to(device=device, dtype=dtype)
        self.calls_per_sample = 1
        """Forward calls timed together as one sample."""

    def sample_ms(self) -> float:
        """Time of one forward call in ms: the mean of `calls_per_sample` calls in a row."""
        with torch.inference_mode():
            if self._device.type == "cuda":
                return self._cuda_ms() / self.calls_per_sample
            start = time.perf_counter()
            for _ in range(self.calls_per_sample):
                self._forward(self._images)
            return (time.perf_counter() - start) * 1e3 / self.calls_per_sample

    def _cuda_ms(self) -> float:
        start = _cuda_event(enable_timing=True)
        end = _cuda_event(enable_timing=True)
        with torch.cuda.device(self._device):
            torch.cuda.synchronize()
            start.record()
            for _ in range(self.calls_per_sample):
                self._forward(self._images)
            end.record()
            torch.cuda.synchronize()
        return float(start.elapsed_time(end))


def _entry(network: nn.Module, conditions: Conditions) -> Callable[[torch.Tensor], Any]:
    if conditions.heads == "predicted":
        return network
    forward_heads = getattr(network, "forward_heads", None)
    if not callable(forward_heads):
        raise MeasureError(
            f"{type(network).__name__} has no forward_heads, so its latency with all heads cannot "
            "be measured; ask for heads: predicted"
        )
    found: Callable[[torch.Tensor], Any] = forward_heads
    return found


class WarmUp(NamedTuple):
    """Forward calls made before the first sample, and the time of one at the end (ms)."""

    calls: int
    call_ms: float


def warm_up(workload: Workload, *, max_seconds: float) -> WarmUp:
    """Call until two windows in a row agree within 2 %, or `max_seconds` are spent.

    Also settles how many calls make one sample.
    """
    # The first call allocates memory and chooses kernels: it stands for no other.
    now, before, calls = workload.sample_ms(), math.inf, 1
    spent = now / 1e3
    while spent < max_seconds and not abs(now - before) <= WARM_TOLERANCE * now:
        before = now
        window: list[float] = []
        ended = spent + WARM_WINDOW_SECONDS
        while (len(window) < WARM_WINDOW_SAMPLES or spent < ended) and spent < max_seconds:
            window.append(workload.sample_ms())
            calls += workload.calls_per_sample
            spent += window[-1] * workload.calls_per_sample / 1e3
        now = median(window)
        workload.calls_per_sample = max(math.ceil(SHORTEST_SAMPLE_MS / now), 1)
    return WarmUp(calls, now)


def block_seconds(workload: Workload, *, call_ms: float, max_seconds: float, blocks: int) -> float:
    """How long one block lasts: long enough for five samples, short enough for `blocks` blocks."""
    five = BLOCK_SAMPLES * call_ms * workload.calls_per_sample / 1e3
    return min(max(BLOCK_SECONDS, five), max_seconds / blocks)


def timed_block(workload: Workload, *, seconds: float) -> list[float]:
    """The timed window: samples in ms, at least one, until `seconds` of timed calls are spent.

    The only function whose samples are reported: what must have the device to itself is this.
    """
    samples: list[float] = []
    spent = 0.0
    while not samples or spent < seconds:
        samples.append(workload.sample_ms())
        spent += samples[-1] * workload.calls_per_sample / 1e3
    return samples


def timed_seconds(workload: Workload, blocks: Sequence[Sequence[float]]) -> float:
    """Seconds the clock ran for these samples."""
    return sum(map(sum, blocks)) * workload.calls_per_sample / 1e3
