"""The control probe: one fixed workload whose time tells how the device itself is doing.

A load that was there all along cannot be seen in a measurement's own samples. The probe is always
the same work, so its time can be compared with the calmest this host has ever shown.
"""

from __future__ import annotations

import json
import time
from statistics import median

import torch
from torch import nn

from archdsl.files import write_whole
from archdsl.lease import lease_folder
from archdsl.measure import cuda
from archdsl.measure.devices import tf32
from archdsl.records import Json, digest

PROBE = "probe/1"
"""Changes whenever the work does: times of different probes are not compared."""
PROBE_SECONDS = 0.02
LEAST_CALLS = 3
_SIZES = {"cpu": (384, 384), "cuda": (4096, 1024)}
"""Tokens and width of the block by kind of device. On the CPU a call takes some 5 ms of one core:
longer than the turns in which a scheduler shares out a core, so each call feels who shares it."""


class Probe:
    """An MLP block of a transformer, seeded, in float32, on a fixed number of tokens.

    Its products load the arithmetic units; its tensors (8.3 MB on the CPU) do not fit the caches
    nearest to a core, so it feels others' use of memory as well. It runs with as many threads as
    the measurement beside it.
    """

    def __init__(self, device: torch.device) -> None:
        tokens, width = _SIZES["cuda" if device.type == "cuda" else "cpu"]
        generator = torch.Generator().manual_seed(0)

        def drawn(*shape: int) -> torch.Tensor:
            return torch.randn(*shape, generator=generator).mul_(width**-0.5).to(device)

        self._device = device
        self._tokens = drawn(tokens, width)
        self._up, self._down = drawn(width, 4 * width), drawn(4 * width, width)
        self.time_ms()  # the first calls choose kernels and touch the memory

    def time_ms(self) -> float:
        """Median time of one call in ms; takes about 20 ms, or three calls."""
        samples: list[float] = []
        started = time.perf_counter()
        with torch.inference_mode():
            if self._device.type == "cuda":
                with tf32(False):
                    return self._cuda_ms()
            while len(samples) < LEAST_CALLS or time.perf_counter() - started < PROBE_SECONDS:
                before = time.perf_counter()
                self._call()
                samples.append((time.perf_counter() - before) * 1e3)
        return median(samples)

    def _cuda_ms(self) -> float:
        samples: list[float] = []
        while len(samples) < LEAST_CALLS or sum(samples) < PROBE_SECONDS * 1e3:
            samples.append(cuda.elapsed_ms(self._call, calls=1, device=self._device))
        return median(samples)

    def _call(self) -> torch.Tensor:
        return nn.functional.gelu(self._tokens @ self._up) @ self._down


class Calmest:
    """The lowest probe time of a fingerprint on this host, kept beside the leases' lock files.

    Read and written while the device is leased, so that nobody else writes at the same time.
    """

    def __init__(self, fingerprint: Json) -> None:
        key = digest({"probe": PROBE, "fingerprint": fingerprint})
        self._path = lease_folder() / f"probe-{key}.json"
        self._fingerprint = fingerprint
        self.ms = self._stored()
        """In ms; infinite before the first probe."""

    def add(self, ms: float) -> None:
        """Take one more probe into account."""
        self.ms = min(self.ms, ms)

    def store(self) -> None:
        """Write it down where it is lower than before.

        Raises:
            WriteError: the folder refuses the file.
        """
        if self.ms < self._stored():
            found = {"probe": PROBE, "calmest_ms": self.ms, "fingerprint": self._fingerprint}
            write_whole(self._path, json.dumps(found, indent=1))

    def _stored(self) -> float:
        try:
            return float(json.loads(self._path.read_text(encoding="utf-8"))["calmest_ms"])
        except (OSError, ValueError, KeyError, TypeError):
            return float("inf")  # none yet, or damaged: the next one replaces it
