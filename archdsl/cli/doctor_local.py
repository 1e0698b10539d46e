"""What `archdsl doctor` says of a run profile for this machine: one line for each thing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archdsl.cli.doctor_lines import data_lines, no_storage_line, slots_line
from archdsl.cli.finding import Finding
from archdsl.errors import DeviceError, WriteError

if TYPE_CHECKING:
    from archdsl.runners.profile import LocalProfile


def local_findings(profile: LocalProfile) -> list[Finding]:
    """Slots, the device that trains, storage and data."""
    from archdsl.runners.data_probe import probe_data

    return [
        slots_line(profile.workers),
        *_training(profile),
        _storage(profile.storage),
        *data_lines(probe_data(profile.data)),
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


def _storage(storage: str) -> Finding:
    from archdsl.storage.storage import storage_at

    try:
        storage_at(storage).check()
    except WriteError as error:
        return no_storage_line(error)
    return Finding(name="storage", ok=True, found=f"{storage} can be written")
