"""One network in torch and in other engines, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from archdsl.analysis.statistics import Ratio
from archdsl.errors import ArchdslError
from archdsl.measuring.backends import BACKENDS
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.copies import copy_of
from archdsl.measuring.devices import applied, find_device, locked
from archdsl.measuring.latency import latency_protocol
from archdsl.measuring.models import Subject
from archdsl.measuring.optimizing import drawn
from archdsl.measuring.settings import settings_of
from archdsl.measuring.timing import Workload
from archdsl.measuring.turns import timed_in_turns

TORCH = "torch"


@dataclass(frozen=True, kw_only=True)
class InEngine:
    """A network in an engine.

    Args:
        backend: name of the engine.
        version: name and version.
        difference: largest of its answers from torch's, over the largest answer.
        latency_ms: median of a batch.
        share: of torch's time, with its 95 % interval.
    """

    backend: str
    version: str
    difference: float
    latency_ms: float
    share: Ratio


@dataclass(frozen=True, kw_only=True)
class SideBySide:
    """The network in all engines.

    Args:
        rows: torch first.
        missing: name of each engine that was left out -> why.
        protocol: of the latency in torch.
        disturbances: why latencies cannot be trusted, in words.
    """

    rows: Sequence[InEngine]
    missing: Mapping[str, str]
    protocol: Mapping[str, Any]
    disturbances: Sequence[str]


def side_by_side(subject: Subject, conditions: Conditions, names: Sequence[str]) -> SideBySide:
    """Time a network in torch and in other engines, in turns.

    Args:
        subject: the network.
        conditions: of all; `max_seconds` is for each.
        names: of the engines; `all` leaves out those that are not installed, and says so.

    Raises:
        StudyError: an engine takes no such conditions.
        ArchdslError: there is no such engine, it is not installed or does not take the network.
    """
    unknown = [name for name in names if name not in (TORCH, "all", *BACKENDS)]
    if unknown:
        known = ", ".join((TORCH, *BACKENDS))
        raise ArchdslError(f"no backend is called {', '.join(unknown)}; there are {known}, or all")
    asked, missing = [each for each in BACKENDS if each in names or "all" in names], {}
    for name in list(asked):
        try:
            BACKENDS[name].check()
        except ArchdslError as error:
            if name in names:
                raise
            asked.remove(name)
            missing[name] = str(error)
    device = find_device(conditions.device)
    words = conditions.model_dump(exclude_unset=True)
    each_conditions = [
        settings_of(Conditions, {**words, "backend": name}, "measure") for name in (TORCH, *asked)
    ]
    network = drawn(copy_of(subject.module))
    with applied(conditions, device), locked(device):
        workloads = [
            Workload(network, image_shape=subject.image_shape, conditions=each, device=device)
            for each in each_conditions
        ]
        with torch.inference_mode():
            expected, *others = (torch.as_tensor(each.call()).double() for each in workloads)
        most = float(expected.abs().max()) or 1.0
        protocol = latency_protocol(each_conditions[0], device)
        turns = timed_in_turns(
            workloads, device, protocol=protocol, max_seconds=conditions.max_seconds
        )
    versions = [f"torch {torch.__version__}", *(BACKENDS[name].version() for name in asked)]
    apart = [0.0, *(float((each - expected).abs().max()) / most for each in others)]
    rows = [
        InEngine(
            backend=name,
            version=versions[place],
            difference=apart[place],
            latency_ms=turns.median_ms(place),
            share=turns.share(place),
        )
        for place, name in enumerate((TORCH, *asked))
    ]
    return SideBySide(
        rows=rows, missing=missing, protocol=protocol, disturbances=turns.disturbances
    )
