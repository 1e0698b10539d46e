"""What `archdsl doctor` says of a run profile for Ray: one line for each thing, with its remedy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archdsl.cli.doctor_lines import data_lines, no_storage_line, slots_line
from archdsl.cli.finding import Finding
from archdsl.errors import ArchdslError, WriteError
from archdsl.version import __version__

if TYPE_CHECKING:
    from archdsl.runners.profile import RayProfile
    from archdsl.runners.ray.survey import Survey

MOST_CLOCK_SECONDS = 2.0


def cluster_findings(profile: RayProfile) -> list[Finding]:
    """Machines, their GPUs, code, data and clocks, and whether the profile fits them."""
    try:
        from archdsl.runners.ray.survey import survey
    except ImportError as error:
        remedy = "pip install 'archdsl[ray]'"
        return [Finding(name="ray", ok=False, found=str(error), remedy=remedy)]
    try:
        seen = survey(profile)
    except WriteError as error:
        return [no_storage_line(error)]
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
    from archdsl.runners.ray.resources import check_room

    remedy = "change training, latency_lane or concurrent in the run profile to what there is"
    try:
        room = check_room(seen.machines, profile)
    except ArchdslError as error:
        yield Finding(name="slots", ok=False, found=str(error), remedy=remedy)
        return
    yield slots_line(room, lane=profile.latency_lane is not None)


def _storage(profile: RayProfile, seen: Survey) -> Iterator[Finding]:
    from archdsl.runners.ray.resources import storage_remedy

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
        yield from data_lines(opened, machine=names[machine])
