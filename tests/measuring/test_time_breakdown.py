"""Shares of the time that the parts of a network take."""

from __future__ import annotations

import pytest
import torch

from archdsl.errors import DeviceError
from archdsl.measuring.time_breakdown import OTHER, measure_parts
from archdsl.plan.cost import costs
from archdsl.plan.plan import Plan
from archdsl.plan.read import read_model


def paths(plan: Plan) -> list[str]:
    found = costs(plan)
    in_layers = [part for layer in found.layers for part in layer]
    return [part.path for part in (*found.embeds, *in_layers, *found.classifiers)]


@pytest.mark.parametrize(
    ("name", "sets"),
    [
        ("vittm-digits", []),
        ("lookupvit-b-3", ["depth=2", "process.dim=64", "image.size=32"]),
        ("crossvit-18", ["depth=1", "image.size=48", "process.resize=32", "process.blocks=1"]),
        ("rev-vit-b", ["depth=1", "process.dim=64", "image.size=32"]),
        ("deit-b-16-distilled", ["depth=1", "process.dim=64", "image.size=32"]),
    ],
)
def test_every_part_has_its_share(name: str, sets: list[str]) -> None:
    plan = read_model(name, [*sets, "process.embed.grid=2"] if "lookup" in name else sets).plan
    found = measure_parts(plan, batch=2, max_seconds=0.2)
    assert set(found.shares) == {*paths(plan), OTHER}
    assert sum(found.shares.values()) == pytest.approx(1)
    assert all(share > 0 for share in found.shares.values())
    assert found.call_ms > 0
    assert found.batch == 2
    assert found.torch == str(torch.__version__)


def test_the_larger_part_takes_more() -> None:
    """One layer of three has eight blocks, the others one."""
    plan = read_model(
        "vit-b-16",
        [
            "depth=3",
            "process.dim=192",
            "image.size=96",
            "layers=[{at: [1], process: {blocks: 8}}]",
        ],
    ).plan
    shares = measure_parts(plan, max_seconds=0.5).shares
    blocks = [shares[f"layers.{number}.process"] for number in range(3)]
    assert blocks[1] > 3 * max(blocks[0], blocks[2])
    assert sum(blocks) > 0.8


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(DeviceError, match="no device 'A100'"):
        measure_parts(read_model("vittm-digits").plan, device="A100")
