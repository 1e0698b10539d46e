"""The latency of a network, per batch in ms, under stated conditions."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import nn

from archdsl.analysis.statistics import CONFIDENCE, Interval, blocks_interval, percentile
from archdsl.measuring.candidate import build_candidate
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.devices import applied, find_device, locked
from archdsl.measuring.fingerprint import fingerprint as fingerprint_of
from archdsl.measuring.interference import Block, InterferenceMonitor
from archdsl.measuring.repeatability import Reference, Repeatability
from archdsl.measuring.timing import Workload, block_seconds, timed_block, timed_seconds, warm_up
from archdsl.records import Job, Measurement

EVALUATOR = "latency/2"
"""Changes whenever the way of measuring changes the number."""
LEAST_BLOCKS = 3
REFERENCE_TIMES = 3
"""Of the reference before the blocks, and after them."""
WARM_UP_SHARE = 0.25
"""Of `max_seconds`, at most, before the first sample."""


def measure_latency(
    model: nn.Module,
    *,
    image_shape: tuple[int, int, int],
    conditions: Conditions,
    fingerprint: Mapping[str, Any] | None = None,
) -> Measurement:
    """Time the forward call of `model` on random images until its median is known well enough.

    With the device locked, warms up until steady, then takes samples in at least three blocks with
    control probes between them, until the 95 % interval of the median is within
    `conditions.precision` of it, or `conditions.max_seconds` of timed calls are spent. Blocks in
    which the device was not ours alone are taken again, within limits. `detail["steady"]` says
    whether all went well, `detail["unsteady"]` what did not. The value is ms per batch; its
    interval is widened by what separate processes differ by on this host, so that it holds what
    another process would find, too.

    Args:
        model: takes images (batch, channels, height, width); left as it is.
        image_shape: (channels, height, width).
        conditions: device, batch, types, threads, heads and limits.
        fingerprint: of the device, where the caller already has it.

    Raises:
        DeviceError: the device is not there.
        MeasureError: all heads are asked for and the model has no `forward_heads`, or it cannot be
            compiled as asked.
        DeviceLockError: other processes of ours do not leave the device in time.
    """
    device = find_device(conditions.device)
    with applied(conditions, device):
        protocol = latency_protocol(conditions, device, fingerprint)
        workload = Workload(model, image_shape=image_shape, conditions=conditions, device=device)
        first_ms = workload.sample_ms()
        with locked(device):
            limit = conditions.max_seconds
            warm = warm_up(workload, first_ms=first_ms, max_seconds=limit * WARM_UP_SHARE)
            watch = monitor_of(protocol, device, max_seconds=limit)
            reference, repeatability = Reference(device), Repeatability(protocol["fingerprint"])
            reference_ms = [reference.time_ms() for _ in range(REFERENCE_TIMES)]
            watch.begin()
            taken = take_blocks(workload, watch, call_ms=warm.call_ms, conditions=conditions)
            reference_ms += [reference.time_ms() for _ in range(REFERENCE_TIMES)]
            if not taken.disturbances:
                repeatability.add(reference_ms)
            watch.close()
    spread = repeatability.spread
    interval = spread.widened(taken.interval, middle=taken.median_ms)
    return Measurement(
        quantity="latency",
        value=taken.median_ms,
        low=interval.low,
        high=interval.high,
        unit="ms",
        protocol=protocol,
        detail={
            **taken.detail(),
            "between_processes_percent": round(100 * spread.share, 3),
            "processes_compared": spread.processes,
            "reference_ms": [round(ms, 6) for ms in reference_ms],
            "calls_per_sample": workload.calls_per_sample,
            "warm_up_calls": warm.calls,
            "images_per_s": conditions.batch * 1e3 / taken.median_ms,
            "device": watch.readings(taken.blocks),
            "system_release": platform.release(),
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )


def monitor_of(
    protocol: Mapping[str, Any], device: torch.device, *, max_seconds: float
) -> InterferenceMonitor:
    """A watch over a device on which something is measured under `protocol`."""
    return InterferenceMonitor(
        device,
        fingerprint=protocol["fingerprint"],
        threads=protocol["threads"],
        max_seconds=max_seconds,
    )


def latency_protocol(
    conditions: Conditions, device: torch.device, fingerprint: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What latencies must share to be compared; ask while the conditions are applied."""
    return {
        "evaluator": EVALUATOR,
        **conditions.keyed(),
        "threads": torch.get_num_threads(),
        "fingerprint": dict(fingerprint if fingerprint is not None else fingerprint_of(device)),
    }


@dataclass(frozen=True, kw_only=True)
class Taken:
    """The blocks a latency is computed from.

    Args:
        blocks: that count.
        discarded: taken while the device was not ours alone.
        precise: the interval is as narrow as was asked for.
        disturbances: why even the blocks that count are doubtful, in words.
    """

    blocks: Sequence[Block]
    discarded: Sequence[Block]
    precise: bool
    disturbances: Sequence[str]

    @property
    def samples_ms(self) -> list[float]:
        """All samples that count."""
        return [sample for block in self.blocks for sample in block.samples_ms]

    @property
    def median_ms(self) -> float:
        """Their median."""
        return median(self.samples_ms)

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the median."""
        return blocks_interval([block.samples_ms for block in self.blocks])

    def detail(self) -> dict[str, Any]:
        """Samples and what they are worth, as plain data."""
        samples, coverage = self.samples_ms, self.interval.coverage
        loose = [] if self.precise else ["the interval did not close in the time given"]
        return {
            "blocks_ms": _rounded(self.blocks),
            "discarded_ms": _rounded(self.discarded),
            "count": len(samples),
            "p95_ms": percentile(samples, 95),
            "low_here_ms": self.interval.low,
            "high_here_ms": self.interval.high,
            "coverage": coverage,
            "steady": self.precise and not self.disturbances,
            "unsteady": [*self.disturbances, *loose],
        }


def take_blocks(
    workload: Workload, watch: InterferenceMonitor, *, call_ms: float, conditions: Conditions
) -> Taken:
    """Blocks until those that count are precise enough or the time is spent.

    Blocks that were disturbed count only when too many of them were: then all count.
    """
    limit = conditions.max_seconds
    seconds = block_seconds(workload, call_ms=call_ms, max_seconds=limit, blocks=LEAST_BLOCKS)

    def precise(blocks: Sequence[Block]) -> bool:
        return len(blocks) >= LEAST_BLOCKS and _precise(blocks, conditions.precision)

    def enough(blocks: Sequence[Block]) -> bool:
        spent = timed_seconds(workload, [block.samples_ms for block in blocks])
        return len(blocks) >= LEAST_BLOCKS and (spent >= limit or precise(blocks))

    taken: list[Block] = []
    while True:
        calm = [block for block in taken if not watch.doubts(block)]
        if enough(calm):
            rest = [block for block in taken if block not in calm]
            return Taken(blocks=calm, discarded=rest, precise=precise(calm), disturbances=())
        if not watch.patient and enough(taken):
            return Taken(
                blocks=taken,
                discarded=(),
                precise=precise(taken),
                disturbances=watch.told(taken),
            )
        taken.append(watch.block(partial(timed_block, workload, seconds=seconds)))


def _precise(blocks: Sequence[Block], precision: float) -> bool:
    """Looked at after each block: a block costs more than looking at them all."""
    low, high, coverage = blocks_interval([block.samples_ms for block in blocks])
    middle = median(sample for block in blocks for sample in block.samples_ms)
    return coverage >= CONFIDENCE and (high - low) / 2 <= precision * middle


def _rounded(blocks: Sequence[Block]) -> list[list[float]]:
    return [[round(sample, 6) for sample in block.samples_ms] for block in blocks]


class LatencyEvaluator:
    """Measures the latency of candidates of a search under one set of conditions.

    Raises:
        DeviceError: the device is not there.
    """

    quantity = "latency"

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        device = find_device(conditions.device)
        with applied(conditions, device):
            self._protocol = latency_protocol(conditions, device)

    def protocol(self) -> Mapping[str, Any]:
        return self._protocol

    def check(self, candidate: Job) -> None:
        """Any network can be timed."""

    def measure(self, candidate: Job, *, report: Callable[[int, float], None]) -> Measurement:
        model, image_shape = build_candidate(candidate, seed=0)
        return measure_latency(
            model,
            image_shape=image_shape,
            conditions=self._conditions,
            fingerprint=self._protocol["fingerprint"],
        )
