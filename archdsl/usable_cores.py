"""The processor cores that this process may use, which are often fewer than the host has."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

_OWN_CGROUPS = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")
_SLURM = ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE")


def affinity() -> frozenset[int]:
    """Numbers of the cores that this process may run on (`taskset`, cpusets of containers)."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def usable_cores() -> int:
    """How many cores this process may keep busy: by affinity, by the processor time that its
    control groups grant (containers, systemd), and by what SLURM allots to a task."""
    bounds = [float(len(affinity())), *_quotas(), *_slurm(os.environ)]
    return max(1, int(min(bounds)))


def restriction() -> int | None:
    """The usable cores, where they are fewer than the host's: else nothing restricts the process,
    and what was measured before there was this question stays what it is."""
    usable = usable_cores()
    return usable if usable < (os.cpu_count() or 1) else None


def _quotas() -> Iterator[float]:
    """Cores' worth of time that each control group around this process grants, if it says so."""
    try:
        lines = _OWN_CGROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = _CGROUPS / "cpu" if controllers else _CGROUPS
        own = root / path.lstrip("/")
        for folder in [each for each in (own, *own.parents) if each.is_relative_to(root)]:
            quota = _second_version(folder) or _first_version(folder)
            if quota is not None:
                yield quota


def _second_version(folder: Path) -> float | None:
    match _words(folder / "cpu.max"):
        case [quota, period] if quota != "max":
            return int(quota) / int(period)
    return None


def _first_version(folder: Path) -> float | None:
    match _words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us"):
        case [quota, period] if int(quota) > 0:  # -1: as much as there is
            return int(quota) / int(period)
    return None


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").split()
    except OSError:
        return []


def _slurm(environment: Mapping[str, str]) -> list[float]:
    """What SLURM allots: to a task where that was asked for, else to the job on this machine."""
    allotted = (environment.get(name, "") for name in _SLURM)
    return [float(text) for text in allotted if text.isdigit() and int(text) > 0][:1]
