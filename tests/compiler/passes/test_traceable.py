"""The rewrites for the tracer compute the same, with the same state dict."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from archdsl.compiler.build import build_plan
from archdsl.compiler.passes import traceable
from archdsl.compiler.passes.rewrite import Target, first
from archdsl.plan.read import read_model

META, CPU = Target(device=torch.device("meta")), Target(device=torch.device("cpu"))


@pytest.mark.parametrize("name", ["crossvit-18", "crossvit-18-dagger"])
def test_it_computes_the_same_with_the_same_state_dict(name: str) -> None:
    torch.manual_seed(0)
    network = build_plan(read_model(name, ["depth=1", "image.size=48", "process.resize=null"]).plan)
    images = torch.randn(2, *network.plan.image)
    with torch.no_grad():
        for parameter in network.parameters():
            nn.init.normal_(parameter, std=0.1)
        before, state = network(images), network.state_dict()
        rewrite = traceable.apply(network, META)
        after = rewrite.network(images)
    assert rewrite.network is network
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)
    found = rewrite.network.state_dict()
    assert list(found) == list(state)
    assert all(torch.equal(found[each], state[each]) for each in state)


def test_it_says_what_it_has_changed() -> None:
    network = build_plan(read_model("crossvit-18-dagger", ["depth=1"]).plan)
    assert set(traceable.apply(network, CPU).explanation) == {
        "layers.0.read.fusion: erase fusion looks at what it erases",
        "layers.0.write.fusion: erase fusion looks at what it erases",
    }
    convolutions = traceable.apply(network, META).explanation
    assert convolutions and all("matrix product" in line for line in convolutions)
    assert traceable.apply(network, META).explanation == (), "nothing is left to do"


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(3, 4, 3),
        nn.Conv2d(3, 4, (3, 5), stride=(2, 1), padding=(1, 2), bias=False),
        nn.Conv2d(3, 4, 3, dilation=2, padding=1),
        nn.Conv2d(3, 6, 3, groups=3),
        nn.Conv2d(3, 4, 3, padding="same", padding_mode="reflect"),
    ],
)
def test_any_convolution(conv: nn.Conv2d) -> None:
    images = torch.randn(2, 3, 9, 11)
    network = nn.Sequential(conv)
    before = network(images)
    rewrite = traceable.apply(network, META)
    torch.testing.assert_close(network(images), before)
    simple = conv.groups == 1 and conv.padding_mode == "zeros"
    assert bool(rewrite.explanation) == simple


def test_without_a_measurement_the_first_variant_is_chosen() -> None:
    assert CPU.choose is first
    assert first("a head", {"a": int, "b": int}) == "a"
