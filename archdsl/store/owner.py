"""Who holds a claim, and whether that process still lives."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, kw_only=True)
class Owner:
    """One process, never mistaken for a later one with the same number.

    Args:
        host: name of the machine (or container).
        boot_id: changes with every start of the kernel; empty where the system has none.
        pid: process number on that host.
        process_start: when the process started, in the system's own terms; only compared.
    """

    host: str
    boot_id: str
    pid: int
    process_start: str

    @classmethod
    def current(cls) -> Owner:
        """The calling process."""
        pid = os.getpid()
        return cls(
            host=socket.gethostname(),
            boot_id=_boot_id(),
            pid=pid,
            process_start=_process_start(pid) or "",
        )

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def is_alive(owner: Owner, *, elsewhere: Callable[[Owner], bool]) -> bool:
    """Whether `owner` still runs.

    Args:
        owner: the holder of a claim.
        elsewhere: the same of an owner on a host of another name.
    """
    if owner.host != socket.gethostname():
        return elsewhere(owner)
    return owner.boot_id == _boot_id() and _process_start(owner.pid) == owner.process_start


def shares_kernel(owner: Owner) -> bool:
    """Whether an owner on a host of another name still runs; True where that cannot be known.

    So it is with a file on this machine's own disk, which only processes of this very start of the
    kernel can be using.
    """
    if owner.boot_id != _boot_id():
        return False
    # Another container under this kernel: its process numbers are not ours to look up.
    return bool(owner.boot_id) or _process_start(owner.pid) == owner.process_start


def _boot_id() -> str:
    return _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""


def _process_start(pid: int) -> str | None:
    """When process `pid` started; None when it does not run (a zombie does not)."""
    if _BOOT_ID.exists():
        return _linux_process_start(pid)
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return str(process.create_time())
    except psutil.NoSuchProcess:
        return None


def _linux_process_start(pid: int) -> str | None:
    """Clock ticks since boot: unlike a time of day, these never move when the clock is set."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field, the command in parentheses, may hold spaces and parentheses itself.
    fields = text.rpartition(")")[2].split()
    state, start = fields[0], fields[19]
    return None if state in ("Z", "X") else start
