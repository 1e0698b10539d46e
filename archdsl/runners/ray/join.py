"""Before Ray is asked for anything: its settings, and whether a cluster answers at all."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from archdsl.runners.errors import RunnerError

SETTINGS = {
    "RAY_AIR_NEW_OUTPUT": "0",  # its tables go to standard output whatever `verbose` says
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # who holds no GPU sees none
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C ends the search, not only Tune's part of it
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",  # nobody reads its snapshots
    "TUNE_MAX_PENDING_TRIALS_PG": "64",  # actors that are being started at once
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}
"""Environment variables that Ray and Tune read; what a user has set stays."""

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 6.0
"""Together less than ten seconds: a wrong address is told at once."""


def apply_settings() -> None:
    """Set what is not set."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


def check_answers(address: str) -> None:
    """Refuse an address at which no Ray cluster answers; Ray itself would end this process.

    Args:
        address: `auto` or `HOST:PORT`.

    Raises:
        RunnerError: nothing answers, or something that is no Ray cluster, or one of another
            version.
    """
    chosen = [] if address == "auto" else ["--address", address]
    known = address if chosen else os.environ.get("RAY_ADDRESS", "")  # what auto means, if given
    if known.rpartition(":")[2].isdigit():
        _check_open(known.removeprefix("ray://"))
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", *chosen]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise RunnerError(
            f"no Ray cluster answers at {address} within {ANSWER_SECONDS:g} s; {_REMEDY}"
        ) from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        reason = f" ({lines[-1].strip()})" if lines else ""
        raise RunnerError(f"no Ray cluster answers at {address}{reason}; {_REMEDY}")


_REMEDY = "start one (`ray start --head`), or name the address of one in the run profile"


def _check_open(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RunnerError(f"nothing answers at {address} ({reason.lower()}); {_REMEDY}") from None


@contextmanager
def own_signals() -> Iterator[None]:
    """Ray puts its own answer to SIGTERM in place; the command's stays."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        with suppress(ValueError):  # not in the main thread: Ray could not set it either
            signal.signal(signal.SIGTERM, before)
