"""How much of the processors others take while this process measures."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import psutil

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
        self._cores = _usable_cores()
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


def _usable_cores() -> frozenset[int]:
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


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
