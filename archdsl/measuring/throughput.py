"""Throughput of a network in images per second: a batch over its median latency."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archdsl.measuring.conditions import Conditions
from archdsl.measuring.latency import LatencyEvaluator
from archdsl.records import Job, Measurement

EVALUATOR = "throughput/1"
"""Changes whenever the way of measuring changes the number."""


def throughput_of(latency: Measurement) -> Measurement:
    """The throughput that a latency, in ms per batch, stands for; the slow end is the low one."""
    images = 1e3 * latency.protocol["batch"]
    return Measurement(
        quantity="throughput",
        value=images / latency.value,
        low=images / latency.high,
        high=images / latency.low,
        unit="images/s",
        protocol={**latency.protocol, "evaluator": EVALUATOR},
        detail=latency.detail,
    )


class ThroughputEvaluator:
    """Measures the throughput of candidates of a search under one set of conditions.

    Raises:
        DeviceError: the device is not there.
    """

    quantity = "throughput"

    def __init__(self, conditions: Conditions) -> None:
        self._latency = LatencyEvaluator(conditions)

    def protocol(self) -> Mapping[str, Any]:
        return {**self._latency.protocol(), "evaluator": EVALUATOR}

    def check(self, candidate: Job) -> None:
        """Any network can be timed."""

    def measure(self, candidate: Job, *, report: Callable[[int, float], None]) -> Measurement:
        return throughput_of(self._latency.measure(candidate, report=report))
