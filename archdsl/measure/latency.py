"""The latency of a network, per batch in ms, under stated conditions."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from statistics import median
from typing import Any

import torch
from torch import nn

from archdsl.measure.candidate import build_candidate
from archdsl.measure.conditions import Conditions
from archdsl.measure.devices import applied, find_device
from archdsl.measure.fingerprint import fingerprint as fingerprint_of
from archdsl.measure.statistics import median_interval, percentile
from archdsl.measure.timing import (
    PAUSE_SECONDS,
    WarmUp,
    Workload,
    block_seconds,
    timed_block,
    timed_seconds,
    warm_up,
)
from archdsl.records import Job, Measurement

EVALUATOR = "latency/1"
"""Changes whenever the way of measuring changes the number."""
LEAST_BLOCKS = 3
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

    Warms up until steady, then takes samples in at least three separated blocks until the 95 %
    interval of the median is within `conditions.precision` of it, or `conditions.max_seconds` of
    timed calls are spent; `detail["steady"]` says which. The value is ms per batch.

    Args:
        model: takes images (batch, channels, height, width); left as it is.
        image_shape: (channels, height, width).
        conditions: device, batch, types, threads, heads and limits.
        fingerprint: of the device, where the caller already has it.

    Raises:
        DeviceError: the device is not there.
        MeasureError: all heads are asked for and the model has no `forward_heads`.
    """
    device = find_device(conditions.device)
    with applied(conditions, device):
        protocol = latency_protocol(conditions, device, fingerprint)
        workload = Workload(model, image_shape=image_shape, conditions=conditions, device=device)
        warm, blocks = take_blocks(workload, conditions)
    samples = list(chain.from_iterable(blocks))
    middle, interval = median(samples), median_interval(samples)
    return Measurement(
        quantity="latency",
        value=middle,
        low=interval.low,
        high=interval.high,
        unit="ms",
        protocol=protocol,
        detail={
            "blocks_ms": [[round(sample, 6) for sample in block] for block in blocks],
            "count": len(samples),
            "calls_per_sample": workload.calls_per_sample,
            "warm_up_calls": warm.calls,
            "p95_ms": percentile(samples, 95),
            "images_per_s": conditions.batch * 1e3 / middle,
            "coverage": interval.coverage,
            "steady": _precise(blocks, conditions.precision),
            "system_release": platform.release(),
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        },
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


def take_blocks(workload: Workload, conditions: Conditions) -> tuple[WarmUp, list[list[float]]]:
    """Samples in ms, block by block, until they are precise enough or the time is spent."""
    limit = conditions.max_seconds
    warm = warm_up(workload, max_seconds=limit * WARM_UP_SHARE)
    seconds = block_seconds(workload, call_ms=warm.call_ms, max_seconds=limit, blocks=LEAST_BLOCKS)
    blocks: list[list[float]] = []
    while len(blocks) < LEAST_BLOCKS or (
        timed_seconds(workload, blocks) < limit and not _precise(blocks, conditions.precision)
    ):
        if blocks:
            time.sleep(PAUSE_SECONDS)
        blocks.append(timed_block(workload, seconds=seconds))
    return warm, blocks


def _precise(blocks: Sequence[Sequence[float]], precision: float) -> bool:
    samples = list(chain.from_iterable(blocks))
    low, high, coverage = median_interval(samples)
    return coverage >= 0.95 and (high - low) / 2 <= precision * median(samples)


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
