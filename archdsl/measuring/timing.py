"""Timing one network's forward call: its warm-up, and samples in blocks."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from statistics import median

import torch
from torch import nn

from archdsl.measuring.clock import clock_of, time_calls
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.prepare import prepare

SHORTEST_SAMPLE_MS = 1.0
"""Shorter calls are timed several at once: the clock's own cost must not show."""
BLOCK_SECONDS = 0.1
BLOCK_SAMPLES = 5
WARM_UP_SHARE = 0.25
"""Of `max_seconds`, at most, before the first sample."""
WARM_WINDOW_SECONDS = 0.05
WARM_WINDOW_SAMPLES = 3
WARM_TOLERANCE = 0.02
"""The device is warm when the medians of two windows in a row differ by less."""


class Workload:
    """A network's forward call under `conditions`, called once: timed in samples and blocks.

    The first call allocates memory and chooses kernels; its time stands for no other.

    Args:
        model: takes images (batch, channels, height, width); a copy of it is timed.
        image_shape: (channels, height, width).
        conditions: what the call is timed under.
        device: where it runs.

    Raises:
        MeasureError: the network cannot be prepared as the conditions say; see `prepare`.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        image_shape: tuple[int, int, int],
        conditions: Conditions,
        device: torch.device,
    ) -> None:
        # The intervals of samples need it: not to be imported between two blocks.
        importlib.import_module("scipy.special")
        self.call = prepare(
            model, image_shape=image_shape, conditions=conditions, device=device
        ).call
        self._clock = clock_of(device)
        self._max_seconds = conditions.max_seconds
        self.calls_per_sample = 1
        """Forward calls timed together as one sample."""
        self.warm_up_calls = 1
        """Forward calls made before the first sample."""
        self.block_seconds = 0.0
        """How long one block lasts."""
        self.call_ms = self.sample_ms()

    def sample_ms(self) -> float:
        """Time of one forward call in ms: the mean of `calls_per_sample` calls in a row."""
        count = self.calls_per_sample
        with torch.inference_mode():
            return time_calls(self.call, clock=self._clock, calls=count) / count

    def warm_up(self, *, blocks: int) -> None:
        """Call until two windows in a row agree within 2 %, or a quarter of the time is spent.

        Also settles how many calls make one sample, and how long a block lasts: long enough for
        five samples, short enough for `blocks` blocks in the conditions' `max_seconds`.
        """
        now, before = self.call_ms, math.inf
        spent, limit = now / 1e3, self._max_seconds * WARM_UP_SHARE
        while spent < limit and not abs(now - before) <= WARM_TOLERANCE * now:
            before = now
            window: list[float] = []
            ended = spent + WARM_WINDOW_SECONDS
            while (len(window) < WARM_WINDOW_SAMPLES or spent < ended) and spent < limit:
                window.append(self.sample_ms())
                self.warm_up_calls += self.calls_per_sample
                spent += self._seconds(window[-1])
            now = median(window)
            self.calls_per_sample = max(math.ceil(SHORTEST_SAMPLE_MS / now), 1)
        five = BLOCK_SAMPLES * self._seconds(now)
        self.block_seconds = min(max(BLOCK_SECONDS, five), self._max_seconds / blocks)

    def block(self) -> list[float]:
        """The timed window: samples in ms, at least one, for `block_seconds` of timed calls.

        The only function whose samples are reported: what must have the device to itself is this.
        """
        samples: list[float] = []
        spent = 0.0
        while not samples or spent < self.block_seconds:
            samples.append(self.sample_ms())
            spent += self._seconds(samples[-1])
        return samples

    def timed_seconds(self, samples_ms: Sequence[float]) -> float:
        """Seconds the clock ran for these samples."""
        return self._seconds(sum(samples_ms))

    def _seconds(self, sample_ms: float) -> float:
        return sample_ms * self.calls_per_sample / 1e3
