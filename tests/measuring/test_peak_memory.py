"""Peak memory of a forward call: counted exactly, the same each time. And throughput."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from archdsl.measuring.conditions import Conditions, MemoryConditions
from archdsl.measuring.latency import measure_latency, throughput_of
from archdsl.measuring.peak_memory import MIB, measure_memory
from archdsl.records import Measurement

SHAPE = (1, 32, 32)
BATCH = 256
CONDITIONS = MemoryConditions(device="cpu", batch=BATCH, heads="predicted")
IMAGES = BATCH * 32 * 32 * 4


class Chain(nn.Module):
    """Three results of the images' size in turn; two of them live at a time, or all."""

    def __init__(self, *, keep: bool) -> None:
        super().__init__()
        self.keep = keep

    def forward(self, images: Tensor) -> Tensor:
        first = images + 1
        second = first + 1
        if not self.keep:
            del first
        third = second + 1
        return third.sum()


def measured(model: nn.Module, **words: object) -> Measurement:
    conditions = CONDITIONS.model_copy(update=words)
    return measure_memory(model, image_shape=SHAPE, conditions=conditions)


def test_what_lives_at_a_time_counts() -> None:
    two, three = measured(Chain(keep=False)), measured(Chain(keep=True))
    assert (two.quantity, two.unit) == ("memory", "MiB")
    assert two.value * MIB == pytest.approx(3 * IMAGES, abs=4096)
    assert three.value * MIB == pytest.approx(4 * IMAGES, abs=4096)


def test_it_is_the_same_each_time() -> None:
    first, second = measured(Chain(keep=True)), measured(Chain(keep=True))
    assert first == second
    assert first.low == first.value == first.high


def test_weights_and_types_count() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(32 * 32, 1000, bias=False))
    weights = 32 * 32 * 1000 * 4
    full, half = measured(model), measured(model, dtype="bfloat16")
    assert full.value * MIB == pytest.approx(weights + IMAGES + BATCH * 1000 * 4, abs=4096)
    assert half.detail["weights_and_images_mib"] == full.detail["weights_and_images_mib"] / 2
    assert half.key != full.key
    assert next(model.parameters()).dtype is torch.float32, "the caller's network is left as it is"


def test_throughput_is_the_batch_over_the_latency() -> None:
    conditions = Conditions(
        device="cpu", batch=8, heads="predicted", precision=0.5, max_seconds=0.1
    )
    latency = measure_latency(nn.Flatten(), image_shape=SHAPE, conditions=conditions)
    found = throughput_of(latency)
    assert (found.quantity, found.unit) == ("throughput", "images/s")
    assert found.value == pytest.approx(8000 / latency.value)
    assert found.low <= found.value <= found.high
    assert found.key != latency.key
