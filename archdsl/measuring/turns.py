"""Several forward calls timed in turns, so that all see the same machine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import torch

from archdsl.analysis.statistics import Ratio, ratio_of_pairs
from archdsl.measuring.interference import Block, InterferenceMonitor, take_rounds
from archdsl.measuring.timing import Workload

LEAST_ROUNDS = 8


@dataclass(frozen=True, kw_only=True)
class Turns:
    """A block of each workload, round by round.

    Args:
        rounds: one block of each, in their order.
        disturbances: why they cannot be trusted, in words.
    """

    rounds: Sequence[tuple[Block, ...]]
    disturbances: Sequence[str]

    def median_ms(self, place: int) -> float:
        """Of a workload, in ms a batch."""
        return median(median(each[place].samples_ms) for each in self.rounds)

    def share(self, place: int) -> Ratio:
        """A workload's time over that of the first, with its 95 % interval."""
        ours, firsts = ([each[at].samples_ms for each in self.rounds] for at in (place, 0))
        return ratio_of_pairs(ours, firsts)


def timed_in_turns(
    workloads: Sequence[Workload],
    device: torch.device,
    *,
    protocol: Mapping[str, Any],
    max_seconds: float,
) -> Turns:
    """Time workloads, whose device is held, until the time is spent.

    Args:
        workloads: the first is what shares are of.
        device: where they run.
        protocol: what they are timed under.
        max_seconds: of timed calls for each; some rounds are made whatever they take.
    """
    for workload in workloads:
        workload.warm_up(blocks=LEAST_ROUNDS)
    limit, started = len(workloads) * max_seconds, time.perf_counter()
    monitor = InterferenceMonitor(device, protocol=protocol, max_seconds=limit)

    def late() -> bool:
        return time.perf_counter() - started >= limit

    found = take_rounds(
        [partial(monitor.block, workload.block) for workload in workloads],
        enough=lambda rounds: len(rounds) >= LEAST_ROUNDS and late(),
        disturbed=monitor.disturbances,
        give_up=lambda taken, undisturbed: len(taken) >= LEAST_ROUNDS and late(),
    )
    monitor.close()
    blocks = [block for each in found.kept for block in each]
    disturbances = [] if found.undisturbed else monitor.describe(blocks)
    return Turns(rounds=found.kept, disturbances=disturbances)
