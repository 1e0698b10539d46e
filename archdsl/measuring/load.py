"""How much of the processors and of a GPU others take while this process measures."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import psutil
import torch

from archdsl.usable_cores import affinity

SHORTEST_WINDOW_SECONDS = 0.08
"""The system counts processor time in steps of 10 ms on each core: in less, they are too coarse."""
_IDLE = frozenset({"idle", "iowait", "guest", "guest_nice"})
"""Guests' time is in that of users, too."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """Processor time taken by others over a window, in cores; None where it is not known.

    Args:
        foreign_cores: other processes, and what the host of a virtual machine withheld, on the
            cores this process may use.
        own_cores: threads of this process that do not measure.
    """

    foreign_cores: float | None
    own_cores: float


class CpuLoad:
    """Reads the load since the last reading.

    What others took is what the cores were busy beyond this process's own time, which the kernel
    counts exactly. No list of processes is needed, so those of other containers count as well.

    Args:
        threads: that measure, the calling one included.
    """

    def __init__(self, *, threads: int) -> None:
        self._threads = threads
        self._cores = affinity()
        self._last = self._snapshot()

    @property
    def cores(self) -> int:
        """Cores this process may use."""
        return len(self._cores)

    def read(self) -> Load:
        """The load since the last reading."""
        before, now = self._last, self._snapshot()
        self._last = now
        wall, own = now.wall - before.wall, now.process - before.process
        # With one thread the others' time is known; with more, only what exceeds theirs is.
        measuring = now.thread - before.thread if self._threads == 1 else self._threads * wall
        foreign = None
        if before.busy is not None and now.busy is not None and wall >= SHORTEST_WINDOW_SECONDS:
            foreign = max(now.busy - before.busy - own, 0.0) / wall
        return Load(foreign_cores=foreign, own_cores=max(own - measuring, 0.0) / max(wall, 1e-9))

    def _snapshot(self) -> _Snapshot:
        return _Snapshot(
            wall=time.perf_counter(),
            process=time.process_time(),
            thread=time.thread_time(),
            busy=_busy_seconds(self._cores),
        )


@dataclass(frozen=True, kw_only=True)
class _Snapshot:
    """Seconds since some start."""

    wall: float
    process: float
    thread: float
    busy: float | None


def _busy_seconds(cores: frozenset[int]) -> float | None:
    """Seconds for which these cores were not idle; None where the system does not tell."""
    try:
        all_cores = psutil.cpu_times(percpu=True)
        return sum(
            float(seconds)
            for core in cores
            for word, seconds in all_cores[core]._asdict().items()
            if word not in _IDLE
        )
    except (OSError, psutil.Error, IndexError, NotImplementedError):
        return None


class GpuReading(NamedTuple):
    """What the GPU tells of the last moments; None where it does not tell."""

    foreign_percent: float | None
    """Share of its multiprocessors' time that other processes took, in percent."""
    throttled: bool | None
    """Whether heat or missing power held the clock down."""
    clock_mhz: int | None
    """Clock of the multiprocessors now."""


UNKNOWN = GpuReading(None, None, None)


class GpuLoad:
    """Load and clock of one GPU by NVML, where its Python module (nvidia-ml-py) is installed.

    Presence of other processes is no load: trainers of ours that gave way are still there. What
    counts is the time their kernels took, which NVML samples about six times a second.
    """

    def __init__(self, device: torch.device) -> None:
        self._nvml = _nvml()
        self._handle: Any = None
        if self._nvml is not None:
            uuid = str(torch.cuda.get_device_properties(device).uuid).removeprefix("GPU-")
            try:
                self._handle = self._nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}".encode())
            except self._nvml.NVMLError:  # a slice of a GPU has an identifier of another kind
                self._nvml = None
        self._since_us = _now_us()

    def read(self) -> GpuReading:
        """The reading of the time since the last one."""
        if self._nvml is None:
            return UNKNOWN
        since, self._since_us = self._since_us, _now_us()
        return GpuReading(
            self._asked(lambda: self._foreign_percent(since)),
            self._asked(self._throttled),
            self._asked(
                lambda: self._nvml.nvmlDeviceGetClockInfo(self._handle, self._nvml.NVML_CLOCK_SM)
            ),
        )

    def _asked(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except (self._nvml.NVMLError, AttributeError):  # older modules lack some questions
            return None

    def _foreign_percent(self, since_us: int) -> float | None:
        try:
            samples = self._nvml.nvmlDeviceGetProcessUtilization(self._handle, since_us)
        except self._nvml.NVMLError_NotFound:  # nobody used it
            return 0.0
        by_process: dict[int, list[int]] = {}
        for sample in samples:
            if sample.timeStamp >= since_us:
                by_process.setdefault(sample.pid, []).append(sample.smUtil)
        if by_process and by_process.pop(os.getpid(), None) is None:
            return None  # in a container NVML has other numbers: which of these are we?
        return float(sum(sum(seen) / len(seen) for seen in by_process.values()))

    def _throttled(self) -> bool:
        nvml = self._nvml
        reasons = nvml.nvmlDeviceGetCurrentClocksThrottleReasons(self._handle)
        # Not the software power cap: at the limit that the fingerprint names, it is how a GPU runs.
        bad = (
            nvml.nvmlClocksThrottleReasonHwSlowdown
            | nvml.nvmlClocksThrottleReasonSwThermalSlowdown
            | nvml.nvmlClocksThrottleReasonHwThermalSlowdown
            | nvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown
        )
        return bool(reasons & bad)


def _nvml() -> Any:
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    return nvml


def _now_us() -> int:
    return time.time_ns() // 1000
