"""A search's candidate as a network, and the evaluator of what is measured of the network alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.compiler.baseline import baseline_macs, build_baseline
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
from archdsl.plan.baseline import Baseline
from archdsl.records import Job, Measurement
from archdsl.spec.model import ModelSpec

ImageShape = tuple[int, int, int]
"""(channels, height, width)."""


def build_candidate(
    candidate: Job, *, seed: int, drop_path: float = 0.0
) -> tuple[nn.Module, ImageShape]:
    """The network, its weights drawn from `seed`, and the shape of its images.

    Args:
        candidate: a model, or a baseline.
        seed: of the weights.
        drop_path: of a baseline, which has it built in.

    Raises:
        ArchdslError: timm cannot make a baseline so.
    """
    baseline = Baseline.read(candidate.spec)
    if baseline is not None:
        return build_baseline(baseline, seed=seed, drop_path=drop_path), baseline.image
    spec = ModelSpec.model_validate(candidate.spec)
    torch.manual_seed(seed)
    height, width = spec.image.size
    return build(spec), (spec.image.channels, height, width)


class OneHead(nn.Module):
    """A baseline, all of whose classifiers are the one."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Any:
        return self.model(images)

    def forward_heads(self, images: Tensor) -> dict[str, Any]:
        return {"": self.model(images)}


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
        baseline = Baseline.read(candidate.spec)
        if baseline is not None:
            baseline_macs(baseline)  # refuses images that it cannot take
        return ()  # any network will do

    def measure(self, candidate: Job, *, report: Callable[[int, float], None]) -> Measurement:
        network, image_shape = build_candidate(candidate, seed=0)
        if not isinstance(network, Network):
            network = OneHead(network)
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
