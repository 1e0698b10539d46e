"""Which of two networks is faster: timed in turn, so that both see the same machine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from torch import nn

from archdsl.analysis.statistics import ratio_of_pairs
from archdsl.measuring.candidate import ImageShape
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.devices import applied, find_device, locked
from archdsl.measuring.interference import Block, InterferenceMonitor, Rounds, take_rounds
from archdsl.measuring.latency import latency_protocol
from archdsl.measuring.timing import Workload

SAME_WITHIN = 0.01
"""Two latencies are the same when their ratio is surely between 0.99 and 1.01."""
LEAST_PAIRS = 8
BUSY_MARGIN = 0.1
"""Beside a load, a ratio has to be surely a tenth away from 1, and so has the median of the calmer
pairs and that of the busier ones: then it is not for what others took."""
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
    FASTER_THOUGH_BUSY = "FASTER, on a busy machine"
    """The device was not ours alone, and the interval lies far below 1 whatever others took."""
    SLOWER_THOUGH_BUSY = "SLOWER, on a busy machine"
    """The same, and far above 1."""
    UNCLEAR = "UNCLEAR"
    """None of these when the time was spent."""


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
        disturbances: why the ratio cannot be trusted to a few percent, in words; then the verdict
            is UNCLEAR, or one of those on a busy machine.
        telemetry: of the device around the blocks.
    """

    verdict: Verdict
    ratio: float
    low: float
    high: float
    protocol: Mapping[str, Any]
    blocks_a_ms: Sequence[Sequence[float]]
    blocks_b_ms: Sequence[Sequence[float]]
    disturbances: Sequence[str]
    telemetry: Mapping[str, Any]

    def __repr__(self) -> str:
        ratio = f"{self.ratio:.3g} times as long ({self.low:.3g} to {self.high:.3g})"
        return f"<Comparison: {'; '.join([f'{self.verdict}, {ratio}', *self.disturbances])}>"


def compare_latency(
    model_a: nn.Module,
    model_b: nn.Module,
    *,
    image_shape: ImageShape,
    conditions: Conditions,
    image_shape_b: ImageShape | None = None,
) -> Comparison:
    """Time two networks in alternating blocks until it is clear which is faster.

    Pairs of blocks in which the device was not ours alone are taken again, within limits; where
    too few are left, only a ratio far from 1 is a verdict, and said to be one on a busy machine.

    Args:
        model_a: takes images (batch, channels, height, width); left as it is.
        model_b: takes the same images, or those of `image_shape_b`.
        image_shape: (channels, height, width).
        conditions: as for one latency; `max_seconds` is for each of the two.
        image_shape_b: of B's images, where they are others.

    Raises:
        DeviceError: the device is not there.
        MeasureError: all heads are asked for and a model has no `forward_heads`, or it cannot be
            compiled as asked.
        DeviceLockError: other processes of ours do not leave the device in time.
    """
    device = find_device(conditions.device)
    with applied(conditions, device):
        protocol = latency_protocol(conditions, device)
        shapes = (image_shape, image_shape_b or image_shape)
        with locked(device):
            workloads = [
                Workload(model, image_shape=shape, conditions=conditions, device=device)
                for model, shape in zip((model_a, model_b), shapes, strict=True)
            ]
            for workload in workloads:
                workload.warm_up(blocks=LEAST_PAIRS)
            limit = 2 * conditions.max_seconds
            monitor = InterferenceMonitor(device, protocol=protocol, max_seconds=limit)
            pairs = _take_pairs(workloads, monitor, max_seconds=limit)
            monitor.close()
    blocks = [block for pair in pairs.kept for block in pair]
    disturbances = [] if pairs.undisturbed else monitor.describe(blocks)
    samples_a, samples_b = _samples(pairs.kept)
    ratio, (low, high, _) = ratio_of_pairs(samples_a, samples_b)
    return Comparison(
        verdict=busy_verdict(pairs.kept) if disturbances else verdict_of(low, high),
        ratio=ratio,
        low=low,
        high=high,
        protocol=protocol,
        blocks_a_ms=samples_a,
        blocks_b_ms=samples_b,
        disturbances=disturbances,
        telemetry=monitor.telemetry(blocks),
    )


def verdict_of(low: float, high: float) -> Verdict:
    """What the interval of the ratio A / B says about A."""
    if low >= 1 - SAME_WITHIN and high <= 1 + SAME_WITHIN:
        return Verdict.SAME
    if high < 1:
        return Verdict.FASTER
    return Verdict.SLOWER if low > 1 else Verdict.UNCLEAR


Pair = tuple[Block, ...]
"""A block of A and the block of B right after it."""


def busy_verdict(pairs: Sequence[Pair]) -> Verdict:
    """What pairs say about A that were taken while others used the device.

    Both networks of a pair see the same load, but need not suffer alike. So the pairs are parted by
    the load that they saw, as the probes beside them tell it, and both halves have to agree.
    """
    by_load = sorted(pairs, key=lambda pair: max(ms for block in pair for ms in block.probe_ms))
    half = len(by_load) // 2
    _, interval = ratio_of_pairs(*_samples(pairs))
    medians = [ratio_of_pairs(*_samples(each)).value for each in (by_load[:half], by_load[half:])]
    if max(interval.high, *medians) < 1 - BUSY_MARGIN:
        return Verdict.FASTER_THOUGH_BUSY
    if min(interval.low, *medians) > 1 / (1 - BUSY_MARGIN):
        return Verdict.SLOWER_THOUGH_BUSY
    return Verdict.UNCLEAR


def _take_pairs(
    workloads: Sequence[Workload], monitor: InterferenceMonitor, *, max_seconds: float
) -> Rounds[Block]:
    """Blocks of A and B in turn, until it is clear which is faster or the time is spent.

    Looks whether it is clear each time the number of undisturbed pairs has doubled.
    """
    started, next_look = time.perf_counter(), LEAST_PAIRS

    def late() -> bool:
        return time.perf_counter() - started >= max_seconds

    def enough(pairs: Sequence[Pair]) -> bool:
        nonlocal next_look
        if len(pairs) < LEAST_PAIRS:
            return False
        if len(pairs) >= next_look:
            next_look *= 2
            return _clear(pairs) or late()
        return late()

    def give_up(taken: Sequence[Pair], undisturbed: int) -> bool:
        too_few = undisturbed < LEAST_PAIRS <= len(taken)
        return too_few and (late() or not monitor.may_retry)

    takes = [partial(monitor.block, workload.block) for workload in workloads]
    return take_rounds(takes, enough=enough, disturbed=monitor.disturbances, give_up=give_up)


def _clear(pairs: Sequence[Pair]) -> bool:
    _, (low, high, _) = ratio_of_pairs(*_samples(pairs), confidence=STOP_CONFIDENCE)
    return verdict_of(low, high) is not Verdict.UNCLEAR


def _samples(pairs: Sequence[Pair]) -> tuple[list[Sequence[float]], list[Sequence[float]]]:
    """Samples of A and of B in ms, block by block."""
    return [a.samples_ms for a, _ in pairs], [b.samples_ms for _, b in pairs]
