"""The control probe: one fixed workload whose time tells how the device itself is doing.

A load that was there all along cannot be seen in a measurement's own samples. The probe is always
the same work, so its time can be compared with the calmest this host has ever shown.
"""

from __future__ import annotations

import json
from statistics import median

import torch

from archdsl.device_lock import lock_folder
from archdsl.files import write_whole
from archdsl.identity import digest
from archdsl.measuring.fixed_work import FixedWork
from archdsl.records import Json

PROBE = "probe/2"
"""Changes whenever the work does: times of different probes are not compared."""
_SIZES = {"cpu": (384, 384), "cuda": (4096, 1024)}
"""Tokens and width of the block by kind of device. On the CPU a call takes some 5 ms of one core:
longer than the turns in which a scheduler shares out a core, so each call feels who shares it."""


class Probe(FixedWork):
    """An MLP block on a fixed number of tokens, in memory it allocates once.

    Its products load the arithmetic units; its tensors (8.3 MB on the CPU) do not fit the caches
    nearest to a core, so it feels others' use of memory as well. It allocates nothing when called:
    what a system takes to hand out memory differs by a quarter from process to process, and is no
    sign of a load.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        tokens, width = _SIZES["cuda" if device.type == "cuda" else "cpu"]
        self._tokens = self.drawn(tokens, width)
        self._up, self._down = self.drawn(width, 4 * width), self.drawn(4 * width, width)
        self._hidden = torch.empty(tokens, 4 * width, device=device)
        self._out = torch.empty(tokens, width, device=device)
        self.time_ms()  # the first calls choose kernels and touch the memory

    def call(self) -> None:
        torch.mm(self._tokens, self._up, out=self._hidden)
        torch.mm(self._hidden.relu_(), self._down, out=self._out)


class ProbeBaseline:
    """What the probe takes on this host when it is calm, kept beside the locks' lock files.

    That is the lowest median of any measurement's probes with this fingerprint; in the midst of a
    measurement, a lower probe of its own stands in its place.

    Read and written while the device is locked, so that nobody else writes at the same time.
    """

    def __init__(self, fingerprint: Json) -> None:
        key = digest({"probe": PROBE, "fingerprint": fingerprint})
        self._path = lock_folder() / f"probe-{key}.json"
        self._fingerprint = fingerprint
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
            found = {
                "probe": PROBE,
                "calmest_ms": median(self._seen),
                "fingerprint": self._fingerprint,
            }
            write_whole(self._path, json.dumps(found, indent=1))

    def _stored(self) -> float:
        try:
            return float(json.loads(self._path.read_text(encoding="utf-8"))["calmest_ms"])
        except (OSError, ValueError, KeyError, TypeError):
            return float("inf")  # none yet, or damaged: the next one replaces it
