"""Joining a cluster, or starting one on this machine, and asking its machines what they are."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from archdsl.runners.errors import RunnerError
from archdsl.runners.evaluation import one_line
from archdsl.runners.ray.join import (
    WITH_TOKEN,
    apply_settings,
    check_answers,
    first_words,
    own_signals,
)
from archdsl.runners.ray.resources import Machine, MachineReport
from archdsl.runners.shared_storage_check import marker_in

OBJECT_STORE_BYTES = 1 << 27
"""Of a Ray started here: nothing large goes through it."""
LOOK_SECONDS = 60.0
"""A machine that does not answer for so long is as good as lost."""


def connect(address: str | None) -> None:
    """Join the cluster at an address, or start one here without.

    Raises:
        RunnerError: there is none, or this process belongs to one already.
    """
    if ray.is_initialized():
        raise RunnerError("this process uses Ray already; leave that cluster first: ray.shutdown()")
    apply_settings()
    words: dict[str, Any]
    if address is None:
        words = {"address": "local", "include_dashboard": False}
        words["object_store_memory"] = OBJECT_STORE_BYTES
    else:
        if check_answers(address):
            _show_token()
        package = str(Path(__file__).parents[2])
        words = {"address": address, "runtime_env": {"py_modules": [package]}}
    with own_signals(), redirect_stdout(sys.stderr):
        try:
            ray.init(log_to_driver=False, logging_level=logging.CRITICAL, **words)
        except Exception as error:
            place = f"join the Ray cluster at {address}" if address else "start Ray here"
            raise RunnerError(f"cannot {place}: {first_words(one_line(error))}") from None


def _show_token() -> None:
    """As Ray's own `ray start` does where it finds a token."""
    # No public name, so only a cluster that wants a token depends on it; Ray's stub lacks it.
    from ray._raylet import Config  # type: ignore[attr-defined, unused-ignore]

    os.environ.update(WITH_TOKEN)
    Config.initialize("")  # Ray has read its variables when it was imported


def leave() -> None:
    """Leave the cluster; a Ray that was started here ends."""
    with redirect_stdout(sys.stderr):
        ray.shutdown()


def machines() -> list[Machine]:
    """The machines of the cluster that are alive."""
    return [
        Machine(id=node["NodeID"], name=node["NodeManagerHostname"], resources=node["Resources"])
        for node in ray.nodes()
        if node["Alive"]
    ]


def look_at(found: Sequence[Machine], *, storage: str | None = None) -> list[MachineReport]:
    """Ask machines what they are, without holding anything of them.

    Args:
        found: which; one that is lost meanwhile is left out.
        storage: a folder or URL that they should see, made where it is missing.

    Raises:
        WriteError: it cannot be written here.
    """
    look = ray.remote(num_cpus=0, max_retries=0)(_looker())
    looked = []
    with marker_in(storage) as marker:
        asked = [
            look.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(each.id, soft=False)
            ).remote(marker)
            for each in found
        ]
        for machine, answer in zip(found, asked, strict=True):
            with suppress(RayError):
                answered = ray.get(answer, timeout=LOOK_SECONDS)
                looked.append(MachineReport(machine=machine, **answered))
    return looked


def clock_differences(found: Sequence[Machine]) -> dict[str, float]:
    """Machine to by how many seconds its clock is ahead of this one's; half a round trip off."""

    def now() -> float:
        return time.time()

    clock = ray.remote(num_cpus=0, max_retries=0)(now)
    ahead = {}
    for each in found:
        ask = clock.options(scheduling_strategy=NodeAffinitySchedulingStrategy(each.id, soft=False))
        with suppress(RayError):
            ray.get(ask.remote(), timeout=LOOK_SECONDS)  # starts the process that answers
            before = time.time()
            there = ray.get(ask.remote(), timeout=LOOK_SECONDS)
            ahead[each.id] = there - (before + time.time()) / 2
    return ahead


def _looker() -> Callable[[str | None], dict[str, Any]]:
    """What runs on each machine, and tells what `MachineReport` says of it.

    A function inside a function is sent whole: it works where archdsl is missing or another.
    """

    def look(marker: str | None) -> dict[str, Any]:
        import subprocess
        from importlib import import_module
        from pathlib import Path

        try:
            # As it was in every version, of which there may be another.
            version = import_module("archdsl").__version__
        except Exception as error:
            version = f"none ({type(error).__name__}: {error})"
        command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        try:
            listed = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
            gpus = [line.strip() for line in listed.stdout.splitlines() if line.strip()]
        except (OSError, subprocess.SubprocessError):
            gpus = []
        seen, hindrance = None, ""
        if marker is not None:
            try:
                from archdsl.runners.shared_storage_check import is_seen

                seen = is_seen(marker)
            except Exception as error:
                # Without archdsl no URL can be read, and no candidate be evaluated either.
                seen, hindrance = Path(marker).exists(), str(error)
        return {"version": version, "gpus": gpus, "storage": seen, "hindrance": hindrance}

    return look
