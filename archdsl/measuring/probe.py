"""The control probe: one fixed workload whose time tells how the device itself is doing.

A load that was there all along cannot be seen in a measurement's own samples. The probe is always
the same work, so its time can be compared with the calmest this host has ever shown.
"""

from __future__ import annotations

import math
from statistics import median

import torch

from archdsl.measuring.fixed_work import FixedWork, KeptTimes, seeded
from archdsl.records import Json

PROBE = "probe/2"
"""Changes whenever the work does: times of different probes are not compared."""
_SIZES = {"cpu": (384, 384), "cuda": (4096, 1024)}
"""Tokens and width of the block by kind of device. On the CPU a call takes some 5 ms of one core:
longer than the turns in which a scheduler shares out a core, so each call feels who shares it."""


def control_probe(device: torch.device) -> FixedWork:
    """An MLP block on a fixed number of tokens, in memory it allocates once.

    Its products load the arithmetic units; its tensors (8.3 MB on the CPU) do not fit the caches
    nearest to a core, so it feels others' use of memory as well. It allocates nothing when called:
    what a system takes to hand out memory differs by a quarter from process to process, and is no
    sign of a load.
    """
    count, width = _SIZES["cuda" if device.type == "cuda" else "cpu"]
    drawn = seeded(device)
    tokens, up, down = drawn(count, width), drawn(width, 4 * width), drawn(4 * width, width)
    hidden, out = (torch.empty(count, each, device=device) for each in (4 * width, width))

    def call() -> None:
        torch.mm(tokens, up, out=hidden)
        torch.mm(hidden.relu_(), down, out=out)

    return FixedWork(call, device=device)


class ProbeBaseline:
    """What the probe takes on this host when it is calm.

    That is the lowest median of any measurement's probes with this fingerprint; in the midst of a
    measurement, a lower probe of its own stands in its place.
    """

    def __init__(self, fingerprint: Json) -> None:
        self._kept = KeptTimes("probe", version=PROBE, fingerprint=fingerprint)
        self._seen: list[float] = []
        self.ms = self._stored()
        """In ms; infinite before the first probe."""

    def add(self, ms: float) -> None:
        """Take one more probe into account."""
        self._seen.append(ms)
        self.ms = min(self.ms, ms)

    def store(self) -> None:
        """Write down the median of the probes seen where it is lower than before.

        Raises:
            WriteError: the folder refuses the file.
        """
        if self._seen and median(self._seen) < self._stored():
            self._kept.write("calmest_ms", median(self._seen))

    def _stored(self) -> float:
        try:
            return float(self._kept.read("calmest_ms"))
        except (ValueError, TypeError):
            return math.inf  # none yet, or damaged: the next one replaces it
