"""What `archdsl doctor` says of a run profile: one line for each thing, with its remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archdsl.errors import ArchdslError, DeviceError, WriteError
from archdsl.runners.data_probe import DataProbe, probe_data
from archdsl.runners.profile import LocalProfile, RayProfile
from archdsl.runners.ray.resources import check_room, storage_remedy
from archdsl.runners.read import read_profile
from archdsl.storage.storage import storage_at
from archdsl.version import __version__

if TYPE_CHECKING:
    from archdsl.runners.ray.survey import Survey

MOST_CLOCK_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at; `remedy` says what to do where it is not well."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def profile_findings(name: str) -> list[Finding]:
    """The profile itself, and of what it speaks: slots, devices, machines, storage, data."""
    try:
        profile = read_profile(name)
    except ArchdslError as error:
        remedy = "name a profile with --runner, or mend it"
        return [Finding(name="run profile", ok=False, found=str(error), remedy=remedy)]
    findings = [Finding(name="run profile", ok=True, found=f"{profile.name} ({profile.executor})")]
    if isinstance(profile, LocalProfile):
        findings += _local(profile)
    if isinstance(profile, RayProfile):
        findings += _cluster(profile)
    return findings


def _local(profile: LocalProfile) -> list[Finding]:
    """Slots, the device that trains, storage and data."""
    return [
        _slots_line(profile.workers),
        *_training(profile),
        _written(profile.storage),
        *_data_lines(probe_data(profile.data)),
    ]


def _training(profile: LocalProfile) -> Iterator[Finding]:
    try:
        from archdsl.training.device import choose_device
    except Exception:  # whatever a broken torch raises; it has a line of its own
        return
    try:
        device = choose_device(profile.training.device, profile=profile.name)
    except DeviceError as error:
        remedy = "change training.device in the run profile to what there is"
        yield Finding(name="training", ok=False, found=str(error), remedy=remedy)
        return
    yield Finding(name="training", ok=True, found=f"on {device}")


def _written(storage: str) -> Finding:
    try:
        storage_at(storage).check()
    except WriteError as error:
        return _no_storage_line(error)
    return Finding(name="storage", ok=True, found=f"{storage} can be written")


def _cluster(profile: RayProfile) -> list[Finding]:
    """Machines, their GPUs, code, data and clocks, and whether the profile fits them."""
    try:
        from archdsl.runners.ray.survey import survey
    except ImportError as error:
        remedy = "pip install 'archdsl[ray]'"
        return [Finding(name="ray", ok=False, found=str(error), remedy=remedy)]
    try:
        seen = survey(profile)
    except WriteError as error:
        return [_no_storage_line(error)]
    except ArchdslError as error:
        remedy = "see above; `ray status` on a machine of the cluster shows whether it runs"
        return [Finding(name="ray", ok=False, found=str(error), remedy=remedy)]
    return [*_machines(seen), *_room(profile, seen), *_storage(profile, seen), *_data(seen)]


def _machines(seen: Survey) -> Iterator[Finding]:
    answers = {each.machine.id: each for each in seen.looked}
    for machine in seen.machines:
        name = f"machine {machine.name}"
        looked = answers.get(machine.id)
        if looked is None:
            remedy = "see whether it is up; a search does without it"
            yield Finding(name=name, ok=False, found="does not answer", remedy=remedy)
            continue
        resources = str(machine).partition(": ")[2]
        gpus = f"; {', '.join(looked.gpus)}" if looked.gpus else ""
        yield Finding(
            name=name,
            ok=looked.version == __version__,
            found=f"{resources}{gpus}; archdsl {looked.version}",
            remedy=f"install archdsl {__version__} and what it needs there",
        )
        ahead = seen.clocks.get(machine.id)
        if ahead is not None:
            yield Finding(
                name=f"clock {machine.name}",
                ok=abs(ahead) <= MOST_CLOCK_SECONDS,
                found=f"{ahead:+.2f} s from this machine's",
                remedy="set the clocks by a time server: times in the database are the driver's",
            )


def _room(profile: RayProfile, seen: Survey) -> Iterator[Finding]:
    remedy = "change training, latency_lane or concurrent in the run profile to what there is"
    try:
        room = check_room(seen.machines, profile)
    except ArchdslError as error:
        yield Finding(name="slots", ok=False, found=str(error), remedy=remedy)
        return
    yield _slots_line(room, lane=profile.latency_lane is not None)


def _storage(profile: RayProfile, seen: Survey) -> Iterator[Finding]:
    for looked in seen.looked:
        why = f": {looked.hindrance}" if looked.hindrance else ""
        yield Finding(
            name=f"storage {looked.machine.name}",
            ok=bool(looked.storage),
            found="seen" if looked.storage else f"does not see {profile.storage}{why}",
            remedy=storage_remedy(profile.storage),
        )


def _data(seen: Survey) -> Iterator[Finding]:
    names = {machine.id: machine.name for machine in seen.machines}
    for machine, opened in seen.data.items():
        yield from _data_lines(opened, machine=names[machine])


def _slots_line(count: int, *, lane: bool = False) -> Finding:
    """How many trainings run at once, and where latencies are measured."""
    trainings = f"{count} training{'s' if count != 1 else ''} at once"
    latency = "on a lane of its own" if lane else "in each slot, under its lock"
    return Finding(name="slots", ok=True, found=f"{trainings}; latency {latency}")


def _no_storage_line(error: WriteError) -> Finding:
    """That this machine cannot write the storage."""
    remedy = "name another storage in the run profile, or mend it"
    return Finding(name="storage", ok=False, found=str(error), remedy=remedy)


def _data_lines(opened: Mapping[str, DataProbe], *, machine: str = "") -> Iterator[Finding]:
    """What the data sets are.

    Args:
        opened: name to data set.
        machine: that opened them, if there are several.
    """
    where = f", {machine}" if machine else ""
    for name, each in opened.items():
        yield Finding(
            name=f"data {name}{where}",
            ok=each.ok,
            found=each.found,
            remedy=f"correct data.{name} in the run profile, or put the data there",
        )
