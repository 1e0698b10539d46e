"""How far measurements of the same work in separate processes lie apart on this host.

The samples of one process agree better with each other than with those of the next one: memory
lies elsewhere, and a shared machine drifts within minutes. One process cannot see that in its own
samples. So each measures, beside its network, one fixed reference, and what the references of
separate processes differ by widens the interval of each of them.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch.nn import functional as F

from archdsl.analysis.statistics import Interval
from archdsl.device_lock import lock_folder
from archdsl.files import write_whole
from archdsl.identity import digest
from archdsl.measuring.fixed_work import FixedWork
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


class Reference(FixedWork):
    """A stack of pre-norm transformer blocks: of the kind that is measured, and always the same."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        images, tokens, width, depth = _SIZES["cuda" if device.type == "cuda" else "cpu"]
        self._tokens = self.drawn(images, tokens, width)
        shapes = [(3 * width, width), (width, width), (4 * width, width), (width, 4 * width)]
        self._blocks = [[self.drawn(*shape) for shape in shapes] for _ in range(depth)]
        self.time_ms()  # the first calls choose kernels and touch the memory

    def call(self) -> torch.Tensor:
        x = self._tokens
        images, tokens, width = x.shape
        for qkv, proj, up, down in self._blocks:
            heads = F.linear(F.layer_norm(x, (width,)), qkv).view(
                images, tokens, 3, -1, _HEAD_WIDTH
            )
            q, k, v = heads.permute(2, 0, 3, 1, 4)
            mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
            x = x + F.linear(mixed.reshape(images, tokens, width), proj)
            x = x + F.linear(F.gelu(F.linear(F.layer_norm(x, (width,)), up)), down)
        return x


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
    """Times of the reference, one for each process, kept beside the locks' lock files.

    Read and written while the device is locked, so that nobody else writes at the same time.

    Args:
        fingerprint: of the device.
    """

    def __init__(self, fingerprint: Json) -> None:
        key = digest({"reference": REFERENCE, "fingerprint": fingerprint})
        self._path = lock_folder() / f"reference-{key}.json"
        self._fingerprint = fingerprint
        self._times = self._stored()

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
        found = {
            "reference": REFERENCE,
            "processes_ms": self._times,
            "fingerprint": self._fingerprint,
        }
        write_whole(self._path, json.dumps(found, indent=1))

    def _stored(self) -> dict[str, float]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))["processes_ms"]
            times = {str(process): float(ms) for process, ms in found.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}  # none yet, or damaged
        return times if all(0 < ms < math.inf for ms in times.values()) else {}
