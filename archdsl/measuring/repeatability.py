"""How far measurements of the same work in separate processes lie apart on this host.

The samples of one process agree better with each other than with those of the next one: memory
lies elsewhere, and a shared machine drifts within minutes. One process cannot see that in its own
samples. So each measures, beside its network, one fixed reference, and what the references of
separate processes differ by widens the interval of each of them.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch.nn import functional as F

from archdsl.analysis.statistics import Interval
from archdsl.measuring.fixed_work import FixedWork, KeptTimes, seeded
from archdsl.records import Json

REFERENCE = "reference/1"
"""Changes whenever the work does: times of different references are not compared."""
MOST_KEPT = 50
SUPPOSED = 0.01
"""Spread between processes before any is known: that of networks of 1 to 12 ms on two shared cores
of a virtual machine, see benchmarks/latency_agreement.py."""
SUPPOSED_PAIRS = 5
"""So many pairs of processes outweigh what is supposed."""
NORMAL_95 = 1.96
"""Standard deviations to each side that hold 95 % of a normal law."""
_SIZES = {"cpu": (4, 16, 64, 12), "cuda": (64, 196, 384, 4)}
"""Images, tokens, width and depth by kind of device."""
_HEAD_WIDTH = 32
_PROCESS = secrets.token_hex(8)
"""Names this process among those that have measured."""


def reference_work(device: torch.device) -> FixedWork:
    """A stack of pre-norm transformer blocks: of the kind that is measured, and always the same."""
    images, tokens, width, depth = _SIZES["cuda" if device.type == "cuda" else "cpu"]
    drawn = seeded(device)
    start = drawn(images, tokens, width)
    shapes = [(3 * width, width), (width, width), (4 * width, width), (width, 4 * width)]
    blocks = [[drawn(*shape) for shape in shapes] for _ in range(depth)]

    def call() -> torch.Tensor:
        x = start
        for qkv, proj, up, down in blocks:
            heads = F.linear(F.layer_norm(x, (width,)), qkv).view(
                images, tokens, 3, -1, _HEAD_WIDTH
            )
            q, k, v = heads.permute(2, 0, 3, 1, 4)
            mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
            x = x + F.linear(mixed.reshape(images, tokens, width), proj)
            x = x + F.linear(F.gelu(F.linear(F.layer_norm(x, (width,)), up)), down)
        return x

    return FixedWork(call, device=device)


class Spread(NamedTuple):
    """Standard deviation between processes.

    Args:
        share: of the value.
        processes: that have measured the reference; with fewer than two it is supposed.
    """

    share: float
    processes: int

    def widened(self, interval: Interval, *, middle: float) -> Interval:
        """An interval about `middle` that holds what another process would find, too."""
        half = NORMAL_95 * self.share * middle
        return Interval(
            middle - math.hypot(middle - interval.low, half),
            middle + math.hypot(interval.high - middle, half),
            interval.coverage,
        )


class Repeatability:
    """Times of the reference on this host, one for each process.

    Args:
        fingerprint: of the device.
    """

    def __init__(self, fingerprint: Json) -> None:
        self._kept = KeptTimes("reference", version=REFERENCE, fingerprint=fingerprint)
        self._times = _times(self._kept.read("processes_ms"))

    @property
    def spread(self) -> Spread:
        """The spread between processes that followed each other.

        From the differences of neighbours (von Neumann's mean square successive difference), so
        that a machine that is another after a week counts once. What is supposed weighs as much as
        five pairs.
        """
        times = list(self._times.values())
        squares = [math.log(later / before) ** 2 / 2 for before, later in pairwise(times)]
        total = SUPPOSED_PAIRS * SUPPOSED**2 + sum(squares)
        return Spread(math.sqrt(total / (SUPPOSED_PAIRS + len(squares))), len(times))

    def add(self, times_ms: Sequence[float]) -> None:
        """Keep the median of this process's first times of the reference, and of no later ones.

        Raises:
            WriteError: the folder refuses the file.
        """
        if _PROCESS in self._times:
            return
        self._times[_PROCESS] = sorted(times_ms)[len(times_ms) // 2]
        self._times = dict(list(self._times.items())[-MOST_KEPT:])
        self._kept.write("processes_ms", self._times)


def _times(kept: Any) -> dict[str, float]:
    try:
        times = {str(process): float(ms) for process, ms in kept.items()}
    except (ValueError, TypeError, AttributeError):
        return {}  # none yet, or damaged
    return times if all(0 < ms < math.inf for ms in times.values()) else {}
