"""How much memory there is to have, asked before work that may not fit."""

from __future__ import annotations

from pathlib import Path

import psutil

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def free_memory() -> int:
    """Bytes of main memory that this process could have at the most."""
    available: int = psutil.virtual_memory().available
    limit = _CGROUP_LIMIT.read_text().strip() if _CGROUP_LIMIT.exists() else "max"
    return available if limit == "max" else min(available, int(limit))
