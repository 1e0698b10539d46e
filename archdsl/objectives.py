"""What a search can aim at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One quantity: how it is shown, and where it comes from.

    Args:
        unit: of stored values.
        direction: the natural one.
        measured: made by an evaluator of the study; otherwise a fact of the plan.
        meaning: one line for a person.
    """

    unit: str
    direction: Direction
    measured: bool
    meaning: str


OBJECTIVES: dict[str, Objective] = {
    "latency": Objective(
        unit="ms", direction="minimize", measured=True, meaning="median time of one batch"
    ),
    "memory": Objective(
        unit="MiB", direction="minimize", measured=True, meaning="peak memory of one batch"
    ),
    "throughput": Objective(
        unit="images/s", direction="maximize", measured=True, meaning="images over median time"
    ),
    "top1": Objective(unit="%", direction="maximize", measured=True, meaning="validation accuracy"),
    "params": Objective(unit="", direction="minimize", measured=False, meaning="parameters in use"),
    "macs": Objective(
        unit="", direction="minimize", measured=False, meaning="multiply-adds for one image"
    ),
}

MEASURED = tuple(name for name, objective in OBJECTIVES.items() if objective.measured)
