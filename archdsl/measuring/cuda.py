"""What measuring on an NVIDIA GPU needs: its clock, graphs, memory counter and load readings."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

WARM_CALLS_BEFORE_CAPTURE = 3
"""PyTorch's own number, see "CUDA graphs" in its notes: libraries allocate in the first calls."""

Call = Callable[[], Any]

# Given types here: torch leaves these constructors without any.
_event: Callable[..., torch.cuda.Event] = torch.cuda.Event
_stream: Callable[..., torch.cuda.Stream] = torch.cuda.Stream


class CudaClock:
    """The clock of a GPU, by events in its stream of work.

    Args:
        device: the GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._work = torch.cuda.current_stream(device)

    def moment(self) -> torch.cuda.Event:
        """When all work given to the GPU so far is done."""
        event = _event(enable_timing=True)
        event.record(self._work)
        return event

    def wait(self) -> None:
        """Return when all work given to the GPU so far is done."""
        torch.cuda.synchronize(self._device)

    def ms(self, start: torch.cuda.Event, end: torch.cuda.Event) -> float:
        """Time between two moments in ms; to be asked after `wait`."""
        return float(start.elapsed_time(end))


def captured(call: Call, *, device: torch.device) -> Call:
    """The kernels of one call as a graph; calling it replays them on the same memory."""
    with torch.cuda.device(device), torch.inference_mode():
        beside = _stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(WARM_CALLS_BEFORE_CAPTURE):
                call()
        torch.cuda.current_stream().wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = call()

    def replay(keep: Any = result) -> None:
        graph.replay()

    return replay


def peak_bytes(call: Call, *, device: torch.device) -> int:
    """Bytes allocated at the most during one call beyond those allocated before it."""
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    call()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


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
