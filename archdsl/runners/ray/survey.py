"""What a run profile will get of a cluster, looked at without holding anything."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from archdsl.runners.data_probe import DataProbe, probe_data
from archdsl.runners.evaluation import one_line
from archdsl.runners.profile import RayProfile
from archdsl.runners.ray.connect import (
    LOOK_SECONDS,
    clock_differences,
    connect,
    leave,
    look_at,
    machines,
)
from archdsl.runners.ray.resources import Machine, MachineReport


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


def _data(found: Sequence[Machine], names: Mapping[str, str]) -> dict[str, dict[str, DataProbe]]:
    if not names:
        return {}
    opened = ray.remote(num_cpus=0, max_retries=0)(_open)
    asked = {
        each.id: opened.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(each.id, soft=False)
        ).remote(dict(names), str(Path.cwd()))
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
