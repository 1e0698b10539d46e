"""A run profile: where candidates run and for how long; nothing in it changes a number."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, model_validator

from archdsl.spec.base import Node
from archdsl.spec.values import Name
from archdsl.usable_cores import usable_cores

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h)")
LAST_PORT = 65_535
_ADDRESS = re.compile(r"auto|[^/:\s]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}")


def _time_text(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(
            f"{value} has no unit, and 30 seconds are not 30 minutes; write {value}s, {value}min "
            f"or {value}h"
        )
    if not isinstance(value, str) or not _TIME.fullmatch(value) or seconds_of(value) <= 0:
        raise ValueError(
            f"'{str(value)[:40]}' is not a time; write a number above 0 and its unit: 90s, 30min "
            "or 2h"
        )
    return value


def seconds_of(text: str) -> float:
    """Seconds of a text such as `90s`, `30min` or `2h`."""
    found = _TIME.fullmatch(text)
    return float(found[1]) * _SECONDS[found[2]] if found else math.nan


def _data_name(value: str) -> str:
    if value == "digits":
        raise ValueError("this name belongs to the embedded data; choose another name")
    return value


def _storage(value: str) -> str:
    if "://" not in value:
        return value
    # Only here: few profiles need fsspec, which takes longer to import than to read them all.
    from archdsl.storage.remote import problem_of

    problem = problem_of(value)
    if problem is not None:
        raise ValueError(problem)
    return value


def _address(value: str) -> str:
    written = value[:80]
    if value.startswith("ray://"):
        raise ValueError(
            f"'{written}' is for remote clients, which cannot commit to a database beside them; "
            "run the search on a machine of the cluster with address: auto"
        )
    if not _ADDRESS.fullmatch(value):
        raise ValueError(
            f"'{written}' is no address; write auto (the cluster of this machine) or HOST:PORT"
        )
    if value != "auto" and not 0 < int(value.rpartition(":")[2]) <= LAST_PORT:
        raise ValueError(f"'{written}' is no address: ports go from 1 to {LAST_PORT}")
    return value


def _device(value: Any) -> Any:
    if isinstance(value, str) and value.lower() == "gpu":
        raise ValueError(f"'{value}' is not one of: auto, cpu, cuda; did you mean 'cuda'?")
    return value


def _share(value: float) -> float:
    if value > 1 and value != int(value):
        raise ValueError(f"{value} is neither a share of one (0.25) nor whole ones (2)")
    return value


_WHERE = {"archdsl", "kind", "name", "data", "storage", "address"}

Time = Annotated[str, BeforeValidator(_time_text)]
"""A number and its unit: `90s`, `30min`, `2h`."""
DataName = Annotated[str, AfterValidator(_data_name)]
"""What studies call a data set."""
Share = Annotated[float, Field(ge=0, allow_inf_nan=False), AfterValidator(_share)]
"""A share of one, or whole ones: 0.25, 1, 2."""


class Training(Node):
    """Where candidates are trained. A latency's device is the study's: it changes the number."""

    device: Annotated[Literal["auto", "cpu", "cuda"], BeforeValidator(_device)] = "auto"
    """`auto` takes a GPU where there is one."""


class RunProfile(Node):
    """One place where candidates run: what all profiles say."""

    archdsl: Literal[1]
    """Version of the language."""
    kind: Literal["runner"]
    name: Name
    """Free text."""
    executor: Literal["local", "ray"]
    """`local`: child processes on this machine. `ray`: Ray Tune, here or on a cluster."""
    training: Training = Training()
    data: dict[DataName, str] = Field(default_factory=dict)
    """Where the data sets are that studies name: name to source."""
    storage: Annotated[str, Field(min_length=1), AfterValidator(_storage)] = "archdsl-files"
    """Folder for weights and checkpoints; on a cluster one that all machines share, or a URL that
    all reach, such as `s3://bucket/files`: any that fsspec knows."""
    time_limit: Time | None = None
    """Of one trial; a longer one ends as `timed_out`."""

    def place(self) -> dict[str, Any]:
        """The words that may decide how a trial ends, without those that only say what is where."""
        return self.model_dump(mode="json", exclude_none=True, exclude=_WHERE)

    @property
    def training_threads(self) -> int:
        """CPU threads of one training: the cores that it has to itself, here all that are usable.
        Those of a latency are a condition of it, and the study's."""
        return usable_cores()

    @property
    def time_limit_s(self) -> float | None:
        """`time_limit` in seconds."""
        return None if self.time_limit is None else seconds_of(self.time_limit)


class LocalProfile(RunProfile):
    """Child processes on this machine, which may die without ending the search."""

    executor: Literal["local"]
    workers: Annotated[int, Field(ge=1)] = 1
    """Child processes, each with one candidate at a time."""

    @property
    def training_threads(self) -> int:
        """An equal share of this machine's usable cores."""
        return max(1, super().training_threads // self.workers)


class Slot(Training):
    """Where candidates are trained, and what one training holds of its machine."""

    cpus: Share = 1.0
    """Processors, or a share of one."""
    gpus: Share = 0.0
    """GPUs, or a share of one: with 0.25, four trainings use a GPU together."""

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if not self.cpus and not self.gpus:
            raise ValueError("a training must hold something: cpus or gpus above 0")
        if self.device == "cuda" and not self.gpus:
            raise ValueError("device cuda needs gpus above 0: Ray shows a training no others")
        return self


class LatencyLane(Node):
    """What whatever measures a latency holds, alone: one place, one measurement at a time."""

    cpus: Share = 1.0
    """Processors."""
    gpus: Annotated[int, Field(ge=0)] = 0
    """Whole GPUs: a shared one cannot be measured."""
    accelerator_type: Annotated[str, Field(min_length=1)] | None = None
    """Ray's name of the GPU's kind, such as `A100`."""
    resources: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        default_factory=dict
    )
    """Other resources that machines of the cluster were started with: name to amount."""

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if self.accelerator_type and not self.gpus:
            raise ValueError("accelerator_type needs gpus: 1, or trainings use the same GPU")
        if not (self.cpus or self.gpus or self.resources):
            raise ValueError("a lane must hold something: cpus, gpus or resources above 0")
        return self


class RayProfile(RunProfile):
    """Ray Tune with reused actors, on this machine or on a cluster."""

    executor: Literal["ray"]
    address: Annotated[str, AfterValidator(_address)] | None = None
    """`auto` (the cluster this machine belongs to) or `HOST:PORT`; without one Ray is started on
    this machine, and ended with the search."""
    training: Slot = Slot()
    latency_lane: LatencyLane | None = None
    """Without it each training slot measures its own candidates, under the lock of its device."""
    concurrent: Annotated[int, Field(ge=1)] | None = None
    """Most trials at once; as many as there are slots unless given."""

    @property
    def training_threads(self) -> int:
        """What a training holds; one where it holds a share of a core, or a GPU alone."""
        return max(1, int(self.training.cpus))


def profile_schema() -> dict[str, Any]:
    """The JSON Schema of run profiles."""
    either = Annotated[LocalProfile | RayProfile, Field(discriminator="executor")]
    return TypeAdapter[Any](either).json_schema()
