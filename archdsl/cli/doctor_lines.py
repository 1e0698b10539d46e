"""What `archdsl doctor` says alike of every run profile, wherever its candidates run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archdsl.cli.finding import Finding
from archdsl.errors import WriteError
from archdsl.runners.data_probe import DataProbe


def slots_line(count: int, *, lane: bool = False) -> Finding:
    """How many trainings run at once, and where latencies are measured."""
    trainings = f"{count} training{'s' if count != 1 else ''} at once"
    latency = "on a lane of its own" if lane else "in each slot, under its lock"
    return Finding(name="slots", ok=True, found=f"{trainings}; latency {latency}")


def no_storage_line(error: WriteError) -> Finding:
    """That this machine cannot write the storage."""
    remedy = "name another storage in the run profile, or mend it"
    return Finding(name="storage", ok=False, found=str(error), remedy=remedy)


def data_lines(opened: Mapping[str, DataProbe], *, machine: str = "") -> Iterator[Finding]:
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
