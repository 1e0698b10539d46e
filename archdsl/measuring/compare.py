"""Which of two networks is faster: timed in turn, so that both see the same machine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from torch import nn

from archdsl.analysis.statistics import ratio_interval, ratio_of_pairs
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.devices import applied, find_device, locked
from archdsl.measuring.interference import Block, InterferenceMonitor
from archdsl.measuring.latency import WARM_UP_SHARE, latency_protocol, monitor_of
from archdsl.measuring.timing import Workload, block_seconds, timed_block, warm_up

SAME_WITHIN = 0.01
"""Two latencies are the same when their ratio is surely between 0.99 and 1.01."""
LEAST_PAIRS = 8
STOP_CONFIDENCE = 0.99
"""Of the interval that may end the timing early. Higher than the 95 % that is reported, because
looking at the interval several times gives chance several tries."""


class Verdict(StrEnum):
    """What the interval of the ratio A / B says about A."""

    SAME = "SAME"
    """The interval lies within 1 % of 1."""
    FASTER = "FASTER"
    """The interval lies below 1."""
    SLOWER = "SLOWER"
    """The interval lies above 1."""
    UNCLEAR = "UNCLEAR"
    """None of these when the time was spent, or the device was not ours alone."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The ratio of two latencies.

    Args:
        verdict: about A.
        ratio: median over pairs of neighbouring blocks of A over B; below 1 means that A is faster.
        low: lower end of the ratio's 95 % interval.
        high: upper end of the ratio's 95 % interval.
        protocol: what both were timed under.
        blocks_a_ms: samples of A in ms, block by block.
        blocks_b_ms: samples of B; block i was timed right after block i of A.
        disturbances: why the ratio cannot be trusted, in words; then the verdict is UNCLEAR.
        readings: of the device around the blocks.
    """

    verdict: Verdict
    ratio: float
    low: float
    high: float
    protocol: Mapping[str, Any]
    blocks_a_ms: Sequence[Sequence[float]]
    blocks_b_ms: Sequence[Sequence[float]]
    disturbances: Sequence[str]
    readings: Mapping[str, Any]


def compare_latency(
    model_a: nn.Module,
    model_b: nn.Module,
    *,
    image_shape: tuple[int, int, int],
    conditions: Conditions,
) -> Comparison:
    """Time two networks in alternating blocks until it is clear which is faster.

    Pairs of blocks in which the device was not ours alone are taken again, within limits; where
    too few are left, the verdict is UNCLEAR whatever the ratio.

    Args:
        model_a: takes images (batch, channels, height, width); left as it is.
        model_b: takes the same images.
        image_shape: (channels, height, width).
        conditions: as for one latency; `max_seconds` is for each of the two.

    Raises:
        DeviceError: the device is not there.
        MeasureError: all heads are asked for and a model has no `forward_heads`, or it cannot be
            compiled as asked.
        DeviceLockError: other processes of ours do not leave the device in time.
    """
    device = find_device(conditions.device)
    with applied(conditions, device):
        protocol = latency_protocol(conditions, device)
        workloads = [
            Workload(model, image_shape=image_shape, conditions=conditions, device=device)
            for model in (model_a, model_b)
        ]
        first_ms = [workload.sample_ms() for workload in workloads]
        with locked(device):
            limit = conditions.max_seconds
            lengths = _block_lengths(workloads, first_ms, max_seconds=limit)
            watch = monitor_of(protocol, device, max_seconds=2 * limit)
            pairs, disturbances = _take_pairs(workloads, watch, lengths, max_seconds=2 * limit)
            watch.close()
    blocks_a, blocks_b = ([list(pair[i].samples_ms) for pair in pairs] for i in (0, 1))
    low, high, _ = ratio_interval(blocks_a, blocks_b)
    return Comparison(
        verdict=Verdict.UNCLEAR if disturbances else verdict_of(low, high),
        ratio=ratio_of_pairs(blocks_a, blocks_b),
        low=low,
        high=high,
        protocol=protocol,
        blocks_a_ms=blocks_a,
        blocks_b_ms=blocks_b,
        disturbances=disturbances,
        readings=watch.readings([block for pair in pairs for block in pair]),
    )


def verdict_of(low: float, high: float) -> Verdict:
    """What the interval of the ratio A / B says about A."""
    if low >= 1 - SAME_WITHIN and high <= 1 + SAME_WITHIN:
        return Verdict.SAME
    if high < 1:
        return Verdict.FASTER
    return Verdict.SLOWER if low > 1 else Verdict.UNCLEAR


def _block_lengths(
    workloads: Sequence[Workload], first_ms: Sequence[float], *, max_seconds: float
) -> list[float]:
    """Seconds of one block of each workload, once both are warm."""
    lengths = []
    for workload, first in zip(workloads, first_ms, strict=True):
        warm = warm_up(workload, first_ms=first, max_seconds=max_seconds * WARM_UP_SHARE)
        lengths.append(
            block_seconds(
                workload, call_ms=warm.call_ms, max_seconds=max_seconds, blocks=LEAST_PAIRS
            )
        )
    return lengths


Pair = tuple[Block, Block]


def _take_pairs(
    workloads: Sequence[Workload],
    watch: InterferenceMonitor,
    lengths: Sequence[float],
    *,
    max_seconds: float,
) -> tuple[list[Pair], list[str]]:
    """Blocks of A and B in turn, and what disturbed them if they are not to be trusted.

    Looks whether it is clear each time the number of undisturbed pairs has doubled.
    """
    taken: list[Pair] = []
    started, next_look = time.perf_counter(), LEAST_PAIRS
    while True:
        calm = [pair for pair in taken if not any(map(watch.doubts, pair))]
        late = time.perf_counter() - started >= max_seconds
        if len(calm) >= LEAST_PAIRS and (late or (len(calm) >= next_look and _clear(calm))):
            return calm, []
        if len(taken) >= LEAST_PAIRS and (late or not watch.patient) and len(calm) < LEAST_PAIRS:
            return taken, watch.told([block for pair in taken for block in pair])
        if len(calm) >= next_look:
            next_look *= 2
        a, b = (
            watch.block(partial(timed_block, workload, seconds=seconds))
            for workload, seconds in zip(workloads, lengths, strict=True)
        )
        taken.append((a, b))


def _clear(pairs: Sequence[Pair]) -> bool:
    blocks_a, blocks_b = ([pair[i].samples_ms for pair in pairs] for i in (0, 1))
    low, high, _ = ratio_interval(blocks_a, blocks_b, confidence=STOP_CONFIDENCE)
    return verdict_of(low, high) is not Verdict.UNCLEAR
