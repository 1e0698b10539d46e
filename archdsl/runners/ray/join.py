"""Before Ray is asked for anything: its settings, and whether a cluster answers at all."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
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

AUTH_MODE = "RAY_AUTH_MODE"
WITH_TOKEN = {AUTH_MODE: "token"}
"""Environment variable with which a process shows the user's token, from wherever Ray looks for
one: `RAY_AUTH_TOKEN`, `RAY_AUTH_TOKEN_PATH` or `~/.ray/auth_token`."""
_UNAUTHENTICATED = ("AuthenticationError", "couldn't find an authentication token")

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 6.0
"""Together less than ten seconds: a wrong address is told at once."""
REASON_LENGTH = 160
"""Of what Ray says, which goes on for lines."""


def apply_settings() -> None:
    """Set what is not set."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


def check_answers(address: str) -> bool:
    """Refuse an address at which no Ray cluster answers; Ray itself would end this process.

    Args:
        address: `auto` or `HOST:PORT`.

    Returns:
        Whether it wants a token that this process, unlike a `ray start` here, would not show it.

    Raises:
        RunnerError: nothing answers, or something that is no Ray cluster, or one of another
            version, or one that wants a token which is not here.
    """
    known = os.environ.get("RAY_ADDRESS", "") if address == "auto" else address
    where = f"at {known}" if known else "on this machine (address: auto)"
    if known.rpartition(":")[2].isdigit():
        _check_open(known.removeprefix("ray://"))
    failure = _health_failure(address, where)
    if failure is None or not any(words in failure for words in _UNAUTHENTICATED):
        _refuse_failure(failure, where)
        return False
    # Only now: a token is shown to nobody who does not ask for it.
    if AUTH_MODE not in os.environ and _health_failure(address, where, **WITH_TOKEN) is None:
        return True
    raise RunnerError(
        f"the Ray cluster {where} wants a token: put the same ~/.ray/auth_token on every machine "
        f"and export {AUTH_MODE}=token"
    )


def first_words(answer: object) -> str:
    """What Ray tells, without its advice."""
    return textwrap.shorten(str(answer), REASON_LENGTH, placeholder=" …")


_REMEDY = "start one (`ray start --head`), or name the address of one in the run profile"


def _health_failure(address: str, where: str, **variables: str) -> str | None:
    """Why a process that asks the cluster whether it is there fails; None where it does not."""
    chosen = [] if address == "auto" else ["--address", address]
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", *chosen]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            check=False,
            env={**os.environ, **variables},
        )
    except subprocess.TimeoutExpired:
        raise RunnerError(
            f"no Ray cluster answers {where} within {ANSWER_SECONDS:g} s; {_REMEDY}"
        ) from None
    if not done.returncode:
        return None
    return "\n".join(line.strip() for line in done.stderr.splitlines() if line.strip())


def _refuse_failure(failure: str | None, where: str) -> None:
    if failure is None:
        return
    reason = failure.rpartition("\n")[2]
    if "Found multiple active Ray instances" in reason:
        found = ", ".join(sorted(re.findall(r"'([^']+:\d+)'", reason)))
        raise RunnerError(
            f"several Ray clusters run on this machine ({found}); name one of them as the run "
            "profile's address, or as $RAY_ADDRESS"
        )
    if not reason or "Could not find any running Ray instance" in reason:
        raise RunnerError(f"no Ray cluster answers {where}; {_REMEDY}")
    raise RunnerError(f"no Ray cluster answers {where} ({first_words(reason)}); {_REMEDY}")


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
