"""Timing one network's forward call: a workload, its warm-up, and samples in blocks."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import nn

from archdsl.errors import MeasureError
from archdsl.measuring import cuda
from archdsl.measuring.clock import clock_of, time_calls
from archdsl.measuring.conditions import Conditions, MemoryConditions
from archdsl.measuring.cuda import Call

SHORTEST_SAMPLE_MS = 1.0
"""Shorter calls are timed several at once: the clock's own cost must not show."""
BLOCK_SECONDS = 0.1
BLOCK_SAMPLES = 5
WARM_WINDOW_SECONDS = 0.05
WARM_WINDOW_SAMPLES = 3
WARM_TOLERANCE = 0.02
"""The device is warm when the medians of two windows in a row differ by less."""


class Workload:
    """A network in evaluation mode on a device, with one batch of images.

    Works on a copy of the network: the caller's stays where it is, in its type and mode.

    Args:
        model: takes images (batch, channels, height, width).
        image_shape: (channels, height, width).
        conditions: what the call is timed under.
        device: where it runs.

    Raises:
        MeasureError: all heads are asked for and the model has no `forward_heads`; torch.compile
            fails; CUDA graphs are asked for and the device has none.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        image_shape: tuple[int, int, int],
        conditions: Conditions,
        device: torch.device,
    ) -> None:
        self._clock = clock_of(device)
        prepared = prepared_call(
            model,
            image_shape=image_shape,
            conditions=conditions,
            device=device,
            compile_mode=conditions.compile,
        )
        self._call = prepared.call
        self.calls_per_sample = 1
        """Forward calls timed together as one sample."""
        if conditions.compile is not None:
            self._compile_now()
        if conditions.cuda_graphs:
            if device.type != "cuda":
                raise MeasureError(f"CUDA graphs are asked for, but the device is {device.type}")
            self._call = cuda.captured(self._call, device=device)

    def _compile_now(self) -> None:
        """Call once, which compiles, so that no timed call does."""
        try:
            self.sample_ms()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            first = str(error).strip().partition("\n")[0]
            raise MeasureError(
                f"torch.compile could not compile the network: {first}; it needs a working C++ "
                "compiler on the CPU and Triton on a GPU: install them, or measure without compile"
            ) from error

    def sample_ms(self) -> float:
        """Time of one forward call in ms: the mean of `calls_per_sample` calls in a row."""
        count = self.calls_per_sample
        with torch.inference_mode():
            return time_calls(self._call, clock=self._clock, calls=count) / count


class Prepared(NamedTuple):
    """A call, and the bytes of the weights and images it holds."""

    call: Call
    held_bytes: int


def prepared_call(
    model: nn.Module,
    *,
    image_shape: tuple[int, int, int],
    conditions: MemoryConditions,
    device: torch.device,
    compile_mode: str | None = None,
) -> Prepared:
    """One forward call of a copy of `model` on one batch of images, as the conditions say.

    Raises:
        MeasureError: all heads are asked for and the model has no `forward_heads`.
    """
    low: torch.dtype = getattr(torch, conditions.dtype)
    dtype = torch.float32 if conditions.autocast else low
    network = copy.deepcopy(model).eval().to(device=device, dtype=dtype)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(conditions.batch, *image_shape, generator=generator)
    images = images.to(device=device, dtype=dtype)
    if conditions.channels_last:
        network = network.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    forward = _entry(network, conditions)
    if compile_mode is not None:
        forward = torch.compile(forward, mode=compile_mode, dynamic=False)
    tensors = [*network.parameters(), *network.buffers(), images]
    held_bytes = sum(tensor.untyped_storage().nbytes() for tensor in tensors)
    if not conditions.autocast:
        return Prepared(partial(forward, images), held_bytes)

    def call() -> Any:
        # Entered for each call, as in use: the weights are cast in each.
        with torch.autocast(device.type, dtype=low):
            return forward(images)

    return Prepared(call, held_bytes)


def _entry(network: nn.Module, conditions: MemoryConditions) -> Callable[[torch.Tensor], Any]:
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


def warm_up(workload: Workload, *, first_ms: float, max_seconds: float) -> WarmUp:
    """Call until two windows in a row agree within 2 %, or `max_seconds` are spent.

    Also settles how many calls make one sample.

    Args:
        workload: has been called once.
        first_ms: what that call took. It allocates memory and chooses kernels: it stands for no
            other, but counts as time spent.
        max_seconds: of timed calls.
    """
    now, before, calls = first_ms, math.inf, 1
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
