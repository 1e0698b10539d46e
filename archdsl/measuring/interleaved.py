"""Several networks against one of them, timed in rounds, so that all see the same machine.

Only one network is in memory at a time: each is built anew in each round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from archdsl.analysis.statistics import Ratio, ratio_of_pairs
from archdsl.compiler.build import build_plan
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.devices import applied, find_device, locked
from archdsl.measuring.interference import Block, InterferenceMonitor
from archdsl.measuring.latency import latency_protocol
from archdsl.measuring.timing import Workload
from archdsl.plan.plan import Plan

LEAST_ROUNDS = 3
ENOUGH_ROUNDS = 8
"""From here on an interval of the ratios is worth looking at."""


@dataclass(frozen=True, kw_only=True)
class InterleavedTimes:
    """Blocks of every network, round by round.

    Args:
        names: of the networks.
        rounds: one block of each, in their order.
        monitor: that looked at the blocks.
        protocol: what all were timed under.
    """

    names: Sequence[str]
    rounds: Sequence[tuple[Block, ...]]
    monitor: InterferenceMonitor
    protocol: Mapping[str, Any]

    def blocks(self, name: str) -> list[Block]:
        """A network's, one a round."""
        place = self.names.index(name)
        return [blocks[place] for blocks in self.rounds]

    def median_ms(self, name: str) -> float:
        """Median of a network's block medians, in ms per batch."""
        return median(median(block.samples_ms) for block in self.blocks(name))

    def share(self, name: str, of: str) -> Ratio:
        """A network's time over another's, and its 95 % interval, from blocks of equal rounds.

        Rounds in which either was disturbed are left out where three others are left.
        """
        pairs = list(zip(self.blocks(name), self.blocks(of), strict=True))
        calm = [pair for pair in pairs if not any(map(self.monitor.disturbances, pair))]
        used = calm if len(calm) >= LEAST_ROUNDS else pairs
        ours, theirs = ([pair[i].samples_ms for pair in used] for i in (0, 1))
        return ratio_of_pairs(ours, theirs)

    def disturbances(self, name: str) -> list[str]:
        """Why a network's time cannot be trusted, in words; empty with three calm rounds."""
        blocks = self.blocks(name)
        calm = sum(not self.monitor.disturbances(block) for block in blocks)
        return [] if calm >= min(LEAST_ROUNDS, len(blocks)) else self.monitor.describe(blocks)

    def precise(self, reference: str, precision: float) -> bool:
        """Whether every share of the reference's time has an interval as narrow as `precision`."""
        if len(self.rounds) < ENOUGH_ROUNDS:
            return False
        shares = [self.share(name, reference) for name in self.names]
        return all((high - low) / 2 <= precision * ratio for ratio, (low, high, _) in shares)


def measure_interleaved(
    plans: Mapping[str, Plan],
    *,
    reference: str,
    conditions: Conditions,
    limit_s: float,
    on_start: Callable[[int, str], None],
) -> InterleavedTimes:
    """Time every network in each round, until all shares are precise or `limit_s` is spent.

    Args:
        plans: name to plan.
        reference: name of the one that shares are of.
        conditions: `max_seconds` is of one block, `precision` is of the shares' half-width.
        limit_s: seconds in all; three rounds are made whatever they take.
        on_start: called as on_start(round from 1, name) before a network is built.

    Raises:
        DeviceError: the device is not there.
        DeviceLockError: other processes of ours do not leave the device in time.
    """
    device = find_device(conditions.device)
    rounds: list[tuple[Block, ...]] = []
    with applied(conditions, device):
        protocol = latency_protocol(conditions, device)
        with locked(device):
            # No time for blocks in place of disturbed ones: a later round is the retry.
            monitor = InterferenceMonitor(device, protocol=protocol, max_seconds=0.0)
        started = time.perf_counter()
        while True:
            found = InterleavedTimes(
                names=list(plans), rounds=rounds, monitor=monitor, protocol=protocol
            )
            late = time.perf_counter() - started >= limit_s
            if len(rounds) >= LEAST_ROUNDS and (
                late or found.precise(reference, conditions.precision)
            ):
                return found
            blocks = []
            for name, plan in plans.items():
                on_start(len(rounds) + 1, name)
                blocks.append(_take_block(plan, monitor, conditions, device))
            rounds.append(tuple(blocks))


def _take_block(
    plan: Plan, monitor: InterferenceMonitor, conditions: Conditions, device: torch.device
) -> Block:
    network = build_plan(plan)
    with locked(device):
        workload = Workload(network, image_shape=plan.image, conditions=conditions, device=device)
        workload.warm_up(blocks=1)
        monitor.begin()
        block = monitor.block(workload.block)
        monitor.close()
    return block
