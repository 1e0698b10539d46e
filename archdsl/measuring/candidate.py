"""A search's candidate as a network, and the evaluator of what is measured of the network alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from archdsl.compiler.build import build
from archdsl.measuring.conditions import CallConditions
from archdsl.measuring.devices import find_device
from archdsl.measuring.latency import (
    latency_protocol,
    measure_latency,
    throughput_of,
    throughput_protocol,
)
from archdsl.measuring.peak_memory import measure_memory, memory_protocol
from archdsl.nn.network import Network
from archdsl.records import Job, Measurement
from archdsl.spec.model import ModelSpec

ImageShape = tuple[int, int, int]
"""(channels, height, width)."""


def build_candidate(candidate: Job, *, seed: int) -> tuple[Network, ImageShape]:
    """The network, its weights drawn from `seed`, and the shape of its images."""
    spec = ModelSpec.model_validate(candidate.spec)
    torch.manual_seed(seed)
    height, width = spec.image.size
    return build(spec), (spec.image.channels, height, width)


class NetworkEvaluator:
    """Measures one quantity of candidates as networks with fresh weights: any can be measured.

    Args:
        quantity: `latency`, `memory` or `throughput`.
        conditions: those of the quantity.

    Raises:
        DeviceError: the device is not there.
    """

    def __init__(self, quantity: str, conditions: CallConditions) -> None:
        self.quantity, self._conditions = quantity, conditions
        self._measure, protocol_of = _WAYS[quantity]
        self._protocol = protocol_of(conditions, find_device(conditions.device))

    def protocol(self) -> Mapping[str, Any]:
        return self._protocol

    def check(self, candidate: Job) -> Sequence[str]:
        return ()  # any network will do

    def measure(self, candidate: Job, *, report: Callable[[int, float], None]) -> Measurement:
        network, image_shape = build_candidate(candidate, seed=0)
        return self._measure(
            network,
            image_shape=image_shape,
            conditions=self._conditions,
            fingerprint=self._protocol["fingerprint"],
        )


def _measure_throughput(network: nn.Module, **how: Any) -> Measurement:
    return throughput_of(measure_latency(network, **how))


_WAYS: Mapping[str, tuple[Callable[..., Measurement], Callable[..., Mapping[str, Any]]]] = {
    "latency": (measure_latency, latency_protocol),
    "memory": (measure_memory, memory_protocol),
    "throughput": (_measure_throughput, throughput_protocol),
}
"""Quantity to what measures it, and to what its measurements must share."""
