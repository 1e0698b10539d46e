"""The machines of a cluster, asked what they are without holding anything of them."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from archdsl.runners.data_probe import DataProbe, probe_data
from archdsl.runners.evaluation import one_line
from archdsl.runners.profile import RayProfile
from archdsl.runners.ray.connect import connect, leave
from archdsl.runners.ray.resources import Machine, MachineReport
from archdsl.storage.storage import storage_at

LOOK_SECONDS = 60.0
"""A machine that does not answer for so long is as good as lost."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """A cluster.

    Args:
        machines: that are alive.
        looked: what those say that answered.
        clocks: machine to by how many seconds its clock is ahead of this one's.
        data: machine to data set to whether it can be read there.
    """

    machines: Sequence[Machine]
    looked: Sequence[MachineReport]
    clocks: Mapping[str, float]
    data: Mapping[str, Mapping[str, DataProbe]]


def survey(profile: RayProfile) -> Survey:
    """Look at the cluster of a profile; one that is started for it ends again.

    Raises:
        RunnerError: there is none.
        WriteError: the profile's storage cannot be written.
    """
    connect(profile.address)
    try:
        found = machines()
        return Survey(
            machines=found,
            looked=look_at(found, storage=profile.storage),
            clocks=clock_differences(found),
            data=_data(found, profile.data),
        )
    finally:
        leave()


def machines() -> list[Machine]:
    """The machines of the cluster that are alive."""
    return [
        Machine(id=node["NodeID"], name=node["NodeManagerHostname"], resources=node["Resources"])
        for node in ray.nodes()
        if node["Alive"]
    ]


def on(machine: Machine) -> NodeAffinitySchedulingStrategy:
    """Where a task or an actor runs, and nowhere else."""
    return NodeAffinitySchedulingStrategy(machine.id, soft=False)


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
    with _marker_in(storage) as marker:
        asked = [look.options(scheduling_strategy=on(each)).remote(marker) for each in found]
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
        ask = clock.options(scheduling_strategy=on(each))
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
                from archdsl.runners.ray.survey import is_seen

                seen = is_seen(marker)
            except Exception as error:
                # Without archdsl no URL can be read, and no candidate be evaluated either.
                seen, hindrance = Path(marker).exists(), str(error)
        return {"version": version, "gpus": gpus, "storage": seen, "hindrance": hindrance}

    return look


@contextmanager
def _marker_in(storage: str | None) -> Iterator[str | None]:
    """A file by which machines are asked whether they see the same storage.

    Left there, told by its place (an absolute path or a URL), and taken away again.

    Args:
        storage: a folder, made where it is missing, or a URL; nothing is left in None.

    Raises:
        WriteError: the storage cannot be written.
    """
    if storage is None:
        yield None
        return
    place, name = storage_at(storage), f".seen-by-all-{secrets.token_hex(8)}"
    place.check()
    place.write(name, lambda stream: stream.write(b"archdsl"))
    try:
        yield str(place / name)
    finally:
        place.remove(name)


def is_seen(marker: str) -> bool:
    """Whether this machine sees a marker.

    Raises:
        WriteError: the URL does not answer here.
    """
    folder, _, name = marker.rpartition("/")
    return storage_at(folder or "/").read(name, lambda stream: True) is not None


def _data(found: Sequence[Machine], names: Mapping[str, str]) -> dict[str, dict[str, DataProbe]]:
    if not names:
        return {}
    opened = ray.remote(num_cpus=0, max_retries=0)(_open)
    asked = {
        each.id: opened.options(scheduling_strategy=on(each)).remote(dict(names), str(Path.cwd()))
        for each in found
    }
    probes = {}
    for machine, answer in asked.items():
        try:
            probes[machine] = ray.get(answer, timeout=LOOK_SECONDS * len(names))
        except RayError as error:
            lost = DataProbe(ok=False, found=one_line(error))
            probes[machine] = dict.fromkeys(names, lost)
    return probes


def _open(names: Mapping[str, str], folder: str) -> dict[str, DataProbe]:
    """On a machine: what its data sets are."""
    with suppress(OSError):  # as for candidates: see `RaySlot`
        os.chdir(folder)
    return probe_data(names)
