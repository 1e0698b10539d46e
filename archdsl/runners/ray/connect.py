"""Joining a cluster, or starting one on this machine: Ray's settings, and whether one answers."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import ray

from archdsl.runners.evaluation import one_line
from archdsl.runners.interfaces import RunnerError
from archdsl.usable_cores import usable_cores

_SETTINGS = {
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

_AUTH_MODE = "RAY_AUTH_MODE"
_WITH_TOKEN = {_AUTH_MODE: "token"}
"""Environment variable with which a process shows the user's token, from wherever Ray looks for
one: `RAY_AUTH_TOKEN`, `RAY_AUTH_TOKEN_PATH` or `~/.ray/auth_token`."""
_UNAUTHENTICATED = ("AuthenticationError", "couldn't find an authentication token")

_CONNECT_SECONDS = 3.0
_ANSWER_SECONDS = 6.0
"""Together less than ten seconds: a wrong address is told at once."""
_REASON_LENGTH = 160
"""Of what Ray says, which goes on for lines."""
_REMEDY = "start one (`ray start --head`), or name the address of one in the run profile"
_TOO_LONG = "AF_UNIX path length"
_SHORT_SESSIONS = "/tmp/ray"
"""Where Ray has its sessions where neither RAY_TMPDIR nor TMPDIR is set."""
_OBJECT_STORE_BYTES = 1 << 27
"""Of a Ray started here: nothing large goes through it."""


def connect(address: str | None) -> None:
    """Join the cluster at an address, or start one here without.

    Raises:
        RunnerError: there is none, or this process belongs to one already.
    """
    if ray.is_initialized():
        raise RunnerError("this process uses Ray already; leave that cluster first: ray.shutdown()")
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    words: dict[str, Any]
    if address is None:
        words = {
            "address": "local",
            "include_dashboard": False,
            "num_cpus": usable_cores(),  # Ray itself looks past an affinity
            "object_store_memory": _OBJECT_STORE_BYTES,
        }
    else:
        if _check_answers(address):
            _show_token()
        package = str(Path(__file__).parents[2])
        words = {"address": address, "runtime_env": {"py_modules": [package]}}
    with _own_signals(), redirect_stdout(sys.stderr):
        try:
            _join(words)
        except RunnerError:
            raise
        except Exception as error:
            place = f"join the Ray cluster at {address}" if address else "start Ray here"
            raise RunnerError(f"cannot {place}: {_first_words(one_line(error))}") from None


def _join(words: Mapping[str, Any]) -> None:
    """Ray's own start, with its sessions in a shorter folder where TMPDIR is too long for sockets.

    Raises:
        RunnerError: no folder is short enough.
    """

    def join(**more: Any) -> None:
        ray.init(log_to_driver=False, logging_level=logging.CRITICAL, **words, **more)

    try:
        join()
    except OSError as error:
        if _TOO_LONG not in str(error):
            raise
        name = next((each for each in ("RAY_TMPDIR", "TMPDIR") if each in os.environ), "/tmp")
        if name == "TMPDIR":
            with suppress(Exception):
                join(_temp_dir=_SHORT_SESSIONS)
                return
        raise RunnerError(
            f"cannot start Ray here: {name} is too long for the sockets that Ray keeps under it "
            f"({os.environ.get(name, name)}; a socket's whole path has at most 107 bytes, of which "
            "Ray needs about 70); set RAY_TMPDIR to a short folder that can be written, such as "
            "/tmp"
        ) from None


def leave() -> None:
    """Leave the cluster; a Ray that was started here ends."""
    with redirect_stdout(sys.stderr):
        ray.shutdown()


def _show_token() -> None:
    """As Ray's own `ray start` does where it finds a token."""
    # No public name, so only a cluster that wants a token depends on it; Ray's stub lacks it.
    from ray._raylet import Config  # type: ignore[attr-defined, unused-ignore]

    os.environ.update(_WITH_TOKEN)
    Config.initialize("")  # Ray has read its variables when it was imported


def _check_answers(address: str) -> bool:
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
    if _AUTH_MODE not in os.environ and _health_failure(address, where, **_WITH_TOKEN) is None:
        return True
    raise RunnerError(
        f"the Ray cluster {where} wants a token: put the same ~/.ray/auth_token on every machine "
        f"and export {_AUTH_MODE}=token"
    )


def _health_failure(address: str, where: str, **variables: str) -> str | None:
    """Why a process that asks the cluster whether it is there fails; None where it does not."""
    chosen = [] if address == "auto" else ["--address", address]
    command = [sys.executable, "-P", "-m", "ray.scripts.scripts", "health-check", *chosen]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_ANSWER_SECONDS,
            check=False,
            env={**os.environ, **variables},
        )
    except subprocess.TimeoutExpired:
        raise RunnerError(
            f"no Ray cluster answers {where} within {_ANSWER_SECONDS:g} s; {_REMEDY}"
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
    raise RunnerError(f"no Ray cluster answers {where} ({_first_words(reason)}); {_REMEDY}")


def _check_open(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RunnerError(f"nothing answers at {address} ({reason.lower()}); {_REMEDY}") from None


def _first_words(answer: object) -> str:
    """What Ray tells, without its advice."""
    return textwrap.shorten(str(answer), _REASON_LENGTH, placeholder=" …")


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray puts its own answer to SIGTERM in place; the command's stays."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        with suppress(ValueError):  # not in the main thread: Ray could not set it either
            signal.signal(signal.SIGTERM, before)
