"""The machines of a cluster and what they have room for; plain arithmetic, no Ray."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archdsl.document.messages import counted
from archdsl.runners.interfaces import RunnerError
from archdsl.runners.profile import LatencyLane, RayProfile, Slot

Resources = Mapping[str, float]
"""Name to amount, in Ray's words: `CPU`, `GPU`, `accelerator_type:A100`, …"""

KIND = "accelerator_type:"
_KIND_SHARE = 0.001
"""What Ray's own actors ask of a kind, of which each machine that has it offers one."""
_TOLERANCE = 1e-9


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One machine of a cluster.

    Args:
        id: Ray's, unique.
        name: its host's.
        resources: all it has, in use or not.
    """

    id: str
    name: str
    resources: Resources

    def __str__(self) -> str:
        shown = [
            f"{amount:g} {name}"
            for name, amount in sorted(self.resources.items())
            if name not in ("memory", "object_store_memory") and not name.startswith("node:")
            if not name.startswith(KIND)
        ]
        kinds = [name.removeprefix(KIND) for name in self.resources if name.startswith(KIND)]
        kind = f" ({', '.join(kinds)})" if kinds else ""
        return f"{self.name}: {', '.join(shown) or 'nothing'}{kind}"


def slot_resources(slot: Slot) -> dict[str, float]:
    """What one training holds."""
    return _held({"CPU": slot.cpus, "GPU": slot.gpus})


def lane_resources(lane: LatencyLane) -> dict[str, float]:
    """What the latency lane holds."""
    kind = {KIND + lane.accelerator_type: _KIND_SHARE} if lane.accelerator_type else {}
    return _held({"CPU": lane.cpus, "GPU": lane.gpus, **kind, **lane.resources})


def slots(machines: Sequence[Machine], profile: RayProfile) -> dict[str, int]:
    """Machine to how many trainings it has room for, beside the latency lane.

    Raises:
        RunnerError: no machine has what the lane asks for; names what there is.
    """
    lane = lane_resources(profile.latency_lane) if profile.latency_lane else {}
    host = _host_of(machines, lane)
    need = slot_resources(profile.training)
    room = {}
    for machine in machines:
        taken = lane if host is machine else {}
        shares = [
            (machine.resources.get(name, 0.0) - taken.get(name, 0.0)) / amount
            for name, amount in need.items()
        ]
        room[machine.id] = max(0, math.floor(min(shares) + _TOLERANCE))
    return room


def check_room(machines: Sequence[Machine], profile: RayProfile) -> int:
    """How many trainings may run at once.

    Raises:
        RunnerError: there is no room for the lane or for a single training, or the profile asks
            for more at once than there is room for.
    """
    room = sum(slots(machines, profile).values())
    if not room:
        beside = " beside the latency lane" if profile.latency_lane else ""
        raise RunnerError(
            f"the run profile '{profile.name}' asks for {_text(slot_resources(profile.training))} "
            f"for each training, and no machine has that{beside}; {_there_is(machines)}"
        )
    if profile.concurrent is not None and profile.concurrent > room:
        raise RunnerError(
            f"the run profile '{profile.name}' asks for more concurrent trials than slots: "
            f"{profile.concurrent}, and there is room for {counted(room, 'training')} with "
            f"{_text(slot_resources(profile.training))} each; {_there_is(machines)}"
        )
    return profile.concurrent or room


def _host_of(machines: Sequence[Machine], lane: Resources) -> Machine | None:
    """Where the lane will be, which must not be counted twice."""
    if not lane:
        return None
    hosts = [
        machine
        for machine in machines
        if all(machine.resources.get(n, 0) >= a - _TOLERANCE for n, a in lane.items())
    ]
    if not hosts:
        raise RunnerError(
            f"the latency lane asks for {_text(lane)}, and no machine has that; "
            f"{_there_is(machines)}"
        )
    return hosts[0]


def _held(resources: Resources) -> dict[str, float]:
    return {name: float(amount) for name, amount in resources.items() if amount}


def _text(resources: Resources) -> str:
    return ", ".join(
        name.removeprefix(KIND) if name.startswith(KIND) else f"{amount:g} {name}"
        for name, amount in resources.items()
    )


def _there_is(machines: Sequence[Machine]) -> str:
    return "there is: " + ("; ".join(map(str, machines)) or "no machine")


@dataclass(frozen=True, kw_only=True)
class MachineReport:
    """What a machine of the cluster says of itself.

    Args:
        machine: which.
        version: of the archdsl it imports; begins with `none` where it cannot.
        gpus: their names.
        storage: whether it sees the driver's storage; None where it was not asked.
        hindrance: why it does not see one at a URL.
    """

    machine: Machine
    version: str
    gpus: Sequence[str]
    storage: bool | None
    hindrance: str = ""


def check_machines(looked: Sequence[MachineReport], *, version: str, storage: str) -> None:
    """Refuse machines that would evaluate other code, or write where nobody else reads.

    Raises:
        RunnerError: names each of them.
    """
    others = [each for each in looked if each.version != version]
    if others:
        found = "; ".join(f"{each.machine.name} has {each.version}" for each in others)
        raise RunnerError(
            f"this is archdsl {version}, and machines of the cluster have another: {found}; "
            "install the same version on all of them"
        )
    apart = [each for each in looked if each.storage is False]
    if apart:
        names = ", ".join(each.machine.name for each in apart)
        why = f" ({apart[0].hindrance})" if apart[0].hindrance else ""
        raise RunnerError(
            f"{names} cannot see {kind_of_storage(storage)} {storage}, where weights and "
            f"checkpoints go{why}; {storage_remedy(storage)}"
        )


def kind_of_storage(storage: str) -> str:
    """What to call it."""
    return "the URL" if "://" in storage else "the folder"


def storage_remedy(storage: str) -> str:
    """What to do where a machine does not see it."""
    if "://" in storage:
        return "install what the URL needs there, and give that machine what it takes to log in"
    return "name a folder that all machines share as the run profile's storage, or a URL"
