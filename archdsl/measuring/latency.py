"""The latency of a network, per batch in ms, under stated conditions; and its throughput."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import nn

from archdsl.analysis.statistics import CONFIDENCE, Interval, blocks_interval, percentile
from archdsl.measuring.backends import BACKENDS
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.devices import applied, find_device, locked
from archdsl.measuring.fingerprint import fingerprint as fingerprint_of
from archdsl.measuring.interference import Block, InterferenceMonitor, take_rounds
from archdsl.measuring.repeatability import Repeatability, reference_work
from archdsl.measuring.timing import Workload
from archdsl.records import Measurement

EVALUATOR = "latency/2"
THROUGHPUT_EVALUATOR = "throughput/1"
"""Both change whenever the way of measuring changes the number."""
LEAST_BLOCKS = 3
WIDEST_SHARE = 0.2
"""Of a value: what has a wider interval is measured again before anybody compares it."""
REFERENCE_TIMES = 3
"""Of the reference before the blocks, and after them."""


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
    which the device was not ours alone are taken again, within limits; all are, once, where the
    interval is wider than a fifth of the median. `detail["steady"]` says
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
        with locked(device):
            workload = Workload(
                model, image_shape=image_shape, conditions=conditions, device=device
            )
            workload.warm_up(blocks=LEAST_BLOCKS)
            monitor = InterferenceMonitor(
                device, protocol=protocol, max_seconds=conditions.max_seconds
            )
            reference = reference_work(device)
            repeatability = Repeatability(protocol["fingerprint"])
            reference_ms = [reference.time_ms() for _ in range(REFERENCE_TIMES)]
            monitor.begin()
            taken = take_blocks(workload, monitor, conditions=conditions)
            if taken.width > WIDEST_SHARE:
                taken = taken.or_narrower(take_blocks(workload, monitor, conditions=conditions))
            reference_ms += [reference.time_ms() for _ in range(REFERENCE_TIMES)]
            if not taken.disturbances:
                repeatability.add(reference_ms)
            monitor.close()
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
            "warm_up_calls": workload.warm_up_calls,
            "images_per_s": conditions.batch * 1e3 / taken.median_ms,
            "device": monitor.telemetry(taken.blocks),
            "system_release": platform.release(),
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )


def latency_protocol(
    conditions: Conditions, device: torch.device, fingerprint: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What latencies must share to be compared."""
    with applied(conditions, device):
        return {
            "evaluator": EVALUATOR,
            **conditions.keyed(),
            **_engine(conditions),
            "threads": torch.get_num_threads(),
            "fingerprint": dict(fingerprint if fingerprint is not None else fingerprint_of(device)),
        }


def _engine(conditions: Conditions) -> dict[str, str]:
    """Name and version of what computes in place of torch.

    Raises:
        ArchdslError: it is not installed.
    """
    if conditions.backend == "torch":
        return {}
    backend = BACKENDS[conditions.backend]
    backend.check()
    return {"engine": backend.version()}


@dataclass(frozen=True, kw_only=True)
class Taken:
    """The blocks a latency is computed from.

    Args:
        blocks: that count.
        discarded: taken while the device was not ours alone.
        precise: the interval is as narrow as was asked for.
        disturbances: why even the blocks that count may be wrong, in words.
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

    @property
    def width(self) -> float:
        """Of the interval, as a share of the median."""
        return (self.interval.high - self.interval.low) / self.median_ms

    def or_narrower(self, again: Taken) -> Taken:
        """Whichever has the narrower interval; the blocks of the other are discarded."""
        better, other = sorted((self, again), key=lambda each: each.width)
        return replace(better, discarded=[*better.discarded, *other.blocks, *other.discarded])

    def detail(self) -> dict[str, Any]:
        """Samples and what they are worth, as plain data."""
        samples, coverage = self.samples_ms, self.interval.coverage
        loose = [] if self.precise else ["the interval did not close in the time given"]
        if self.width > WIDEST_SHARE:
            loose.append(
                f"it is {100 * self.width:.0f} % of the median wide, also when measured again"
            )
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
    workload: Workload, monitor: InterferenceMonitor, *, conditions: Conditions
) -> Taken:
    """Blocks until those that count are precise enough or the time is spent.

    Blocks that were disturbed count only when too many of them were: then all count.
    """

    def enough(rounds: Sequence[tuple[Block, ...]]) -> bool:
        if len(rounds) < LEAST_BLOCKS:
            return False
        blocks = [block for (block,) in rounds]
        spent = sum(workload.timed_seconds(block.samples_ms) for block in blocks)
        return spent >= conditions.max_seconds or _precise(blocks, conditions.precision)

    rounds = take_rounds(
        [partial(monitor.block, workload.block)],
        enough=enough,
        disturbed=monitor.disturbances,
        give_up=lambda taken, undisturbed: not monitor.may_retry and enough(taken),
    )
    blocks = [block for (block,) in rounds.kept]
    return Taken(
        blocks=blocks,
        discarded=[block for (block,) in rounds.discarded],
        precise=_precise(blocks, conditions.precision),
        disturbances=() if rounds.undisturbed else monitor.describe(blocks),
    )


def _precise(blocks: Sequence[Block], precision: float) -> bool:
    """Looked at after each block: a block costs more than looking at them all."""
    low, high, coverage = blocks_interval([block.samples_ms for block in blocks])
    middle = median(sample for block in blocks for sample in block.samples_ms)
    return coverage >= CONFIDENCE and (high - low) / 2 <= precision * middle


def _rounded(blocks: Sequence[Block]) -> list[list[float]]:
    return [[round(sample, 6) for sample in block.samples_ms] for block in blocks]


def throughput_of(latency: Measurement) -> Measurement:
    """The throughput that a latency, in ms per batch, stands for; the slow end is the low one."""
    images = 1e3 * latency.protocol["batch"]
    return Measurement(
        quantity="throughput",
        value=images / latency.value,
        low=images / latency.high,
        high=images / latency.low,
        unit="images/s",
        protocol={**latency.protocol, "evaluator": THROUGHPUT_EVALUATOR},
        detail=latency.detail,
    )


def throughput_protocol(conditions: Conditions, device: torch.device) -> dict[str, Any]:
    """What throughputs must share to be compared."""
    return {**latency_protocol(conditions, device), "evaluator": THROUGHPUT_EVALUATOR}
