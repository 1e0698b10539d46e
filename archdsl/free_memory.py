"""How much memory there is to have, asked before work that may not fit."""

from __future__ import annotations

import resource
from pathlib import Path

import psutil

from archdsl.errors import NotEnoughMemoryError

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_WORDS = ("out of memory", "not enough memory", "can't allocate memory")


def free_memory() -> int:
    """Bytes of main memory that this process could have at the most."""
    limits: list[int] = [psutil.virtual_memory().available]
    cgroup = _CGROUP_LIMIT.read_text().strip() if _CGROUP_LIMIT.exists() else "max"
    if cgroup != "max":
        limits.append(int(cgroup))
    addresses, _ = resource.getrlimit(resource.RLIMIT_AS)  # `ulimit -v`
    if addresses != resource.RLIM_INFINITY:
        limits.append(max(addresses - psutil.Process().memory_info().vms, 0))
    return min(limits)


def refuse_beyond_memory(needed: int, *, what: str, remedy: str, free: int | None = None) -> None:
    """
    Args:
        needed: bytes.
        what: takes them.
        remedy: what to do instead.
        free: bytes there are to have; those of main memory unless given.

    Raises:
        NotEnoughMemoryError: more is needed than is free.
    """
    free = free_memory() if free is None else free
    if needed > free:
        raise NotEnoughMemoryError(
            f"{what} takes {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free; "
            f"{remedy}"
        )


def lacks_memory(error: BaseException) -> bool:
    """Whether an error, torch's or Python's, says that memory was short."""
    # By name: torch is not imported where only documents and tables are read.
    names = {kind.__name__ for kind in type(error).__mro__}
    told = isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _WORDS)
    return told or bool(names & {"OutOfMemoryError", "MemoryError"})
