"""A search's candidate as a network, and the evaluator of what is measured of the network alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from archdsl.compiler.build import build
from archdsl.measuring.conditions import MemoryConditions
from archdsl.records import Job, Measurement
from archdsl.spec.model import ModelSpec

ImageShape = tuple[int, int, int]
"""(channels, height, width)."""


def build_candidate(candidate: Job, *, seed: int) -> tuple[nn.Module, ImageShape]:
    """The network, its weights drawn from `seed`, and the shape of its images."""
    spec = ModelSpec.model_validate(candidate.spec)
    torch.manual_seed(seed)
    height, width = spec.image.size
    return build(spec), (spec.image.channels, height, width)


class NetworkEvaluator:
    """Measures one quantity of candidates as networks with fresh weights: any can be measured.

    Args:
        quantity: name of what is measured.
        conditions: under which.
        protocol: of the measurements.
        measure: measures a network; called as measure(network, image_shape=, conditions=,
            fingerprint=).
    """

    def __init__(
        self,
        quantity: str,
        *,
        conditions: MemoryConditions,
        protocol: Mapping[str, Any],
        measure: Callable[..., Measurement],
    ) -> None:
        self.quantity = quantity
        self._conditions, self._protocol, self._measure = conditions, protocol, measure

    def protocol(self) -> Mapping[str, Any]:
        return self._protocol

    def check(self, candidate: Job) -> None:
        """Any network will do."""

    def measure(self, candidate: Job, *, report: Callable[[int, float], None]) -> Measurement:
        network, image_shape = build_candidate(candidate, seed=0)
        return self._measure(
            network,
            image_shape=image_shape,
            conditions=self._conditions,
            fingerprint=self._protocol["fingerprint"],
        )
