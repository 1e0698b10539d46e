"""Several networks against one of them, timed in rounds, so that all see the same machine.

Only one network is in memory at a time: each is built anew in each round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

from archdsl.analysis.statistics import Interval, ratio_interval, ratio_of_pairs
from archdsl.compiler.build import build_plan
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.devices import applied, find_device, locked
from archdsl.measuring.interference import Block, InterferenceMonitor
from archdsl.measuring.latency import WARM_UP_SHARE, latency_protocol, monitor_of
from archdsl.measuring.timing import Workload, block_seconds, timed_block, warm_up
from archdsl.plan.plan import Plan

LEAST_ROUNDS = 3
ENOUGH_ROUNDS = 8
"""From here on an interval of the ratios is worth looking at."""


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """Blocks of every network, round by round.

    Args:
        blocks: name to one block a round.
        watch: that looked at them.
        protocol: what all were timed under.
    """

    blocks: Mapping[str, Sequence[Block]]
    watch: InterferenceMonitor
    protocol: Mapping[str, Any]

    def median_ms(self, name: str) -> float:
        """Median of a network's block medians, in ms per batch."""
        return median(median(block.samples_ms) for block in self.blocks[name])

    def share(self, name: str, of: str) -> tuple[float, Interval]:
        """A network's time over another's, and its 95 % interval, from blocks of equal rounds.

        Rounds in which either was disturbed are left out where three others are left.
        """
        pairs = list(zip(self.blocks[name], self.blocks[of], strict=True))
        calm = [pair for pair in pairs if not any(map(self.watch.doubts, pair))]
        used = calm if len(calm) >= LEAST_ROUNDS else pairs
        ours, theirs = ([pair[i].samples_ms for pair in used] for i in (0, 1))
        return ratio_of_pairs(ours, theirs), ratio_interval(ours, theirs)

    def disturbances(self, name: str) -> list[str]:
        """Why a network's time cannot be trusted, in words; empty with three calm rounds."""
        blocks = self.blocks[name]
        calm = sum(not self.watch.doubts(block) for block in blocks)
        return [] if calm >= min(LEAST_ROUNDS, len(blocks)) else self.watch.told(blocks)


def measure_together(
    plans: Mapping[str, Plan],
    *,
    reference: str,
    conditions: Conditions,
    limit_s: float,
    tell: Callable[[int, str], None],
) -> Rounds:
    """Time every network in each round, until all shares are precise or `limit_s` is spent.

    Args:
        plans: name to plan.
        reference: name of the one that shares are of.
        conditions: `max_seconds` is of one block, `precision` is of the shares' half-width.
        limit_s: seconds in all; three rounds are made whatever they take.
        tell: called as tell(round from 1, name) before a network is built.

    Raises:
        DeviceError: the device is not there.
        DeviceLockError: other processes of ours do not leave the device in time.
    """
    device = find_device(conditions.device)
    blocks: dict[str, list[Block]] = {name: [] for name in plans}
    with applied(conditions, device):
        protocol = latency_protocol(conditions, device)
        with locked(device):
            watch = monitor_of(protocol, device, max_seconds=0.0)  # a later round is the retry
        found = Rounds(blocks=blocks, watch=watch, protocol=protocol)
        started = time.perf_counter()
        number = 0
        while number < LEAST_ROUNDS or (
            time.perf_counter() - started < limit_s and not _precise(found, reference, conditions)
        ):
            number += 1
            for name, plan in plans.items():
                tell(number, name)
                workload = Workload(
                    build_plan(plan), image_shape=plan.image, conditions=conditions, device=device
                )
                first_ms = workload.sample_ms()
                with locked(device):
                    blocks[name].append(_block(workload, watch, first_ms, conditions.max_seconds))
                    watch.close()
    return found


def _block(
    workload: Workload, watch: InterferenceMonitor, first_ms: float, max_seconds: float
) -> Block:
    warm = warm_up(workload, first_ms=first_ms, max_seconds=max_seconds * WARM_UP_SHARE)
    seconds = block_seconds(workload, call_ms=warm.call_ms, max_seconds=max_seconds, blocks=1)
    watch.begin()
    return watch.block(partial(timed_block, workload, seconds=seconds))


def _precise(found: Rounds, reference: str, conditions: Conditions) -> bool:
    if len(found.blocks[reference]) < ENOUGH_ROUNDS:
        return False
    shares = [found.share(name, reference) for name in found.blocks]
    return all((high - low) / 2 <= conditions.precision * ratio for ratio, (low, high, _) in shares)
