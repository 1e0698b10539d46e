"""Rewrites are told with what they are worth here, and measured as conditions ask for them."""

from __future__ import annotations

import pytest
import torch

import archdsl
from archdsl.errors import ArchdslError, ArgumentError
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.optimizing import explain
from archdsl.measuring.variants import Quickest

SHORT = Conditions(device="cpu", batch=2, heads="predicted", max_seconds=0.1)


@pytest.mark.slow
def test_each_stage_is_timed_against_the_plain_network() -> None:
    network = archdsl.compile("vittm-digits", seed=0)
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    found = explain(network, image_shape=network.plan.image, conditions=SHORT)
    assert [each.name for each in found.stages] == [
        "plain", "needed", "source_first", "folded", "packed",
    ]  # fmt: skip
    plain, *rewritten = found.stages
    assert plain.share is not None and plain.share.value == 1
    assert plain.macs == archdsl.count("vittm-digits").macs
    for each in rewritten:
        assert each.share is not None and each.latency_ms is not None and each.latency_ms > 0
        assert each.difference < 1e-5
        assert each.macs <= plain.macs
    assert found.protocol["batch"] == 2
    assert all(torch.equal(before[name], each) for name, each in network.state_dict().items())


def test_without_a_clock_the_rest_is_told() -> None:
    network = archdsl.compile("vittm-digits", seed=0)
    found = explain(network, image_shape=network.plan.image, conditions=SHORT, timed=False)
    assert {each.latency_ms for each in found.stages} == {None}
    assert found.protocol == {}


@pytest.mark.slow
def test_the_quickest_is_chosen_once() -> None:
    calls = {"slow": 0, "quick": 0}
    images = torch.randn(64, 64)

    def call(name: str, times: int) -> None:
        calls[name] += 1
        for _ in range(times):
            images @ images

    ways = {"slow": lambda: call("slow", 200), "quick": lambda: call("quick", 1)}
    quickest = Quickest(torch.device("cpu"), torch.float32)
    assert quickest("a test of both", ways) == "quick"
    before = dict(calls)
    assert quickest("a test of both", ways) == "quick"
    assert calls == before


def test_the_door_makes_a_drop_in() -> None:
    network = archdsl.compile("vittm-digits", seed=0)
    fast = archdsl.optimize(network, batch=4)
    images = torch.randn(4, *network.plan.image)
    with torch.inference_mode():
        assert torch.allclose(fast(images), network.eval()(images), atol=1e-5)
    assert [each.name for each in archdsl.optimize(network, passes="folded").applied] == ["folded"]
    with pytest.raises(ArchdslError, match="no pass is called 'fold'"):
        archdsl.optimize(network, passes=["fold"])
    with pytest.raises(ArgumentError):
        archdsl.optimize(network, batch=0)


def test_it_is_a_condition_of_its_own() -> None:
    plain = Conditions(device="cpu", batch=1)
    assert "optimize" not in plain.keyed(), "what is stored stays where it is"
    assert Conditions(device="cpu", batch=1, optimize=True).keyed()["optimize"] is True
