"""A run profile: where candidates run and for how long; nothing in it changes a number."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from archdsl.spec.base import Node
from archdsl.spec.values import Name

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h)")


def _time_text(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise PydanticCustomError(
            "unit",
            "{value} has no unit, and 30 seconds are not 30 minutes; write {value}s, {value}min "
            "or {value}h",
            {"value": value},
        )
    if not isinstance(value, str) or not _TIME.fullmatch(value) or seconds_of(value) <= 0:
        raise PydanticCustomError(
            "time",
            "'{value}' is not a time; write a number above 0 and its unit: 90s, 30min or 2h",
            {"value": str(value)[:40]},
        )
    return value


def seconds_of(text: str) -> float:
    """Seconds of a text such as `90s`, `30min` or `2h`."""
    found = _TIME.fullmatch(text)
    return float(found[1]) * _SECONDS[found[2]] if found else math.nan


Time = Annotated[str, BeforeValidator(_time_text)]
"""A number and its unit: `90s`, `30min`, `2h`."""


class Training(Node):
    """Where candidates are trained. A latency's device is the study's: it changes the number."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` takes a GPU where there is one."""


class RunProfile(Node):
    """One place where candidates run."""

    archdsl: Literal[1]
    """Version of the language."""
    kind: Literal["runner"]
    name: Name
    """Free text."""
    executor: Literal["local"]
    """`local`: one persistent child process on this machine."""
    training: Training = Training()
    data: dict[str, str] = Field(default_factory=dict)
    """Where the data sets are that studies name: name to source."""
    storage: Annotated[str, Field(min_length=1)] = "archdsl-files"
    """Folder for weights and checkpoints."""
    time_limit: Time | None = None
    """Of one trial; a longer one ends as `timed_out`."""

    @property
    def time_limit_s(self) -> float | None:
        """`time_limit` in seconds."""
        return None if self.time_limit is None else seconds_of(self.time_limit)
