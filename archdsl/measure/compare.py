"""Which of two networks is faster: timed in turn, so that both see the same machine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from torch import nn

from archdsl.measure.conditions import Conditions
from archdsl.measure.devices import applied, find_device
from archdsl.measure.latency import WARM_UP_SHARE, latency_protocol
from archdsl.measure.statistics import Interval, ratio_interval, ratio_of_medians
from archdsl.measure.timing import PAUSE_SECONDS, Workload, block_seconds, timed_block, warm_up

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
    """None of these when the time was spent."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The ratio of two latencies.

    Args:
        verdict: about A.
        ratio: median of A over median of B; below 1 means that A is faster.
        low: lower end of the ratio's 95 % interval.
        high: upper end of the ratio's 95 % interval.
        protocol: what both were timed under.
        blocks_a_ms: samples of A in ms, block by block.
        blocks_b_ms: samples of B; block i was timed right after block i of A.
    """

    verdict: Verdict
    ratio: float
    low: float
    high: float
    protocol: Mapping[str, Any]
    blocks_a_ms: Sequence[Sequence[float]]
    blocks_b_ms: Sequence[Sequence[float]]


def compare_latency(
    model_a: nn.Module,
    model_b: nn.Module,
    *,
    image_shape: tuple[int, int, int],
    conditions: Conditions,
) -> Comparison:
    """Time two networks in alternating blocks until it is clear which is faster.

    Args:
        model_a: takes images (batch, channels, height, width); left as it is.
        model_b: takes the same images.
        image_shape: (channels, height, width).
        conditions: as for one latency; `max_seconds` is for each of the two.

    Raises:
        DeviceError: the device is not there.
        MeasureError: all heads are asked for and a model has no `forward_heads`.
    """
    device = find_device(conditions.device)
    with applied(conditions, device):
        protocol = latency_protocol(conditions, device)
        workloads = [
            Workload(model, image_shape=image_shape, conditions=conditions, device=device)
            for model in (model_a, model_b)
        ]
        blocks_a, blocks_b = _take_pairs(workloads, conditions.max_seconds)
    low, high, _ = ratio_interval(blocks_a, blocks_b)
    return Comparison(
        verdict=verdict_of(low, high),
        ratio=ratio_of_medians(blocks_a, blocks_b),
        low=low,
        high=high,
        protocol=protocol,
        blocks_a_ms=blocks_a,
        blocks_b_ms=blocks_b,
    )


def verdict_of(low: float, high: float) -> Verdict:
    """What the interval of the ratio A / B says about A."""
    if low >= 1 - SAME_WITHIN and high <= 1 + SAME_WITHIN:
        return Verdict.SAME
    if high < 1:
        return Verdict.FASTER
    return Verdict.SLOWER if low > 1 else Verdict.UNCLEAR


def _take_pairs(
    workloads: Sequence[Workload], max_seconds: float
) -> tuple[list[list[float]], list[list[float]]]:
    """Blocks of A and B in turn; looks whether it is clear each time their number has doubled."""
    lengths = []
    for workload in workloads:
        warm = warm_up(workload, max_seconds=max_seconds * WARM_UP_SHARE)
        lengths.append(
            block_seconds(
                workload, call_ms=warm.call_ms, max_seconds=max_seconds, blocks=LEAST_PAIRS
            )
        )
    blocks: tuple[list[list[float]], list[list[float]]] = ([], [])
    started, next_look = time.perf_counter(), LEAST_PAIRS
    while len(blocks[0]) < LEAST_PAIRS or time.perf_counter() - started < 2 * max_seconds:
        for workload, taken, seconds in zip(workloads, blocks, lengths, strict=True):
            time.sleep(PAUSE_SECONDS)
            taken.append(timed_block(workload, seconds=seconds))
        if len(blocks[0]) == next_look:
            next_look *= 2
            if _clear(ratio_interval(*blocks, confidence=STOP_CONFIDENCE)):
                break
    return blocks


def _clear(interval: Interval) -> bool:
    return verdict_of(interval.low, interval.high) is not Verdict.UNCLEAR
