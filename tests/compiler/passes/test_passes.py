"""Every rewrite changes rounding alone; a rewritten network is used as the plain one is."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal

import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from archdsl.compiler.build import build_plan
from archdsl.compiler.optimize import PASSES, FrozenNetworkError, Optimized, passes_named
from archdsl.compiler.passes.packed import PackedLinear
from archdsl.compiler.passes.rewrite import Pass, Target
from archdsl.compiler.passes.source_first import SourceFirstAttention
from archdsl.errors import ArchdslError
from archdsl.nn.network import Network
from archdsl.plan.read import read_model
from tests.compiler.test_random_documents import RANDOM, checked, documents, without_zeros

WITHIN = {torch.float64: 1e-10, torch.float32: 1e-4, torch.bfloat16: 2e-2}
"""Of the largest logit."""
CPU = torch.device("cpu")
ALL = tuple(PASSES.values())
Heads = Literal["all", "predicted"]


def optimized(network: nn.Module, heads: Heads, passes: Sequence[Pass], **words: Any) -> Optimized:
    image = words.pop("image", None) or network.plan.image
    target = Target(device=CPU, image=image, batch=2, heads=heads, **words)
    return Optimized(network, target, passes)


def answers(network: Any, images: Tensor, heads: Heads) -> Tensor:
    if heads == "predicted":
        return network(images).double()
    return torch.cat(list(network.forward_heads(images).values())).double()


def drawn(name: str, *sets: str) -> Network:
    torch.manual_seed(0)
    network = build_plan(read_model(name, list(sets)).plan)
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.1)
    return network.eval()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", WITHIN)
@settings(RANDOM, max_examples=40)
@given(documents(), st.sampled_from(["all", "predicted"]))
def test_they_change_rounding_alone(
    dtype: torch.dtype, document: dict[str, Any], heads: Heads
) -> None:
    network = without_zeros(build_plan(checked(document).plan)).eval().to(dtype)
    images = torch.randn(2, *network.plan.image).to(dtype)
    with torch.inference_mode():
        expected = answers(network, images, heads)
        for passes in (*([each] for each in ALL), ALL):
            found = answers(optimized(network, heads, passes), images, heads)
            difference = (found - expected).abs().max()
            assert difference <= WITHIN[dtype] * expected.abs().max(), [p.name for p in passes]


@pytest.mark.slow
@settings(RANDOM, max_examples=40)
@given(documents())
def test_those_that_train_leave_gradients_what_they_are(document: dict[str, Any]) -> None:
    network = without_zeros(build_plan(checked(document).plan)).double()
    images = torch.randn(2, *network.plan.image).double()
    fast = optimized(network, "all", ALL, training=True)
    assert [each.name for each in fast.applied] == ["source_first"]
    found = []
    for each in (network, fast):
        network.zero_grad()
        answers(each, images, "all").square().sum().backward()
        found.append([weight.grad for weight in network.parameters()])
    for ours, plain in zip(*found, strict=True):
        assert (ours is None) == (plain is None)
        if plain is not None:
            assert torch.allclose(ours, plain, rtol=1e-8, atol=1e-8 * float(plain.abs().max()))


def test_each_does_what_it_is_for() -> None:
    network = drawn("vittm-b-32-16", "depth=2")
    fast = optimized(network, "predicted", ALL)
    lines = {each.name: each.lines for each in fast.applied}
    assert lines["needed"] == ("classifiers.process: left out",)
    assert len(lines["source_first"]) == 4
    assert "79.66 M multiply-adds fewer" in lines["source_first"][0], "paper-facts, section 7"
    assert lines["folded"][0] == "layers.0.process.blocks.0: norm1 is part of attn.qkv"
    rewritten = fast.rewritten
    assert isinstance(rewritten.get_submodule("layers.0.read.head"), SourceFirstAttention)
    assert isinstance(rewritten.get_submodule("layers.1.process.blocks.0.attn.qkv"), PackedLinear)
    assert type(network.get_submodule("layers.0.process.blocks.0.attn.qkv")) is nn.Linear


def test_what_is_not_asked_for_is_left_out() -> None:
    network = drawn("vittm-b-32-16", "depth=2", "output.predict=process")
    [needed, *_] = optimized(network, "predicted", ALL).applied
    assert set(needed.lines) == {
        "layers.1.write: left out but for its norm",
        "classifiers.memory: left out",
    }
    [needed, *_] = optimized(network, "all", ALL).applied
    assert needed.lines == ()


def test_a_variant_that_is_slower_here_is_not_taken() -> None:
    asked: list[str] = []

    def keep(what: str, calls: Any) -> str:
        asked.append(what)
        return "values first"

    network = drawn("vittm-b-32-16", "depth=1")
    fast = optimized(network, "all", ALL, choose=keep)
    assert asked[0] == "linear attention 2x49x768 <- 2x196x768, 192 latent"
    assert all("stays as it is" in line for line in fast.applied[1].lines)


def test_it_speaks_the_state_dict_of_the_plain_network() -> None:
    network, other = drawn("vittm-digits"), drawn("vittm-digits")
    with torch.no_grad():
        for weight in other.parameters():
            weight.mul_(1.5)
    fast = optimized(network, "all", ALL)
    assert list(fast.state_dict()) == list(network.state_dict())
    images = torch.randn(2, *network.plan.image)
    with torch.inference_mode():
        fast.load_state_dict(other.state_dict())
        assert torch.allclose(fast(images), other(images), atol=1e-4)
        fast.double()
        expected = other.double()(images.double())
        assert torch.allclose(fast(images.double()), expected, atol=1e-10), "rewritten anew"
        again = copy.deepcopy(fast)
        assert torch.equal(again(images.double()), fast(images.double()))
        assert again.plain is not fast.plain


def test_what_is_for_inference_alone_refuses_to_be_trained() -> None:
    network = drawn("vittm-digits")
    fast = optimized(network, "all", ALL)
    assert fast.eval() is fast
    with pytest.raises(FrozenNetworkError, match=r"inference \(folded, packed\).*`plain`"):
        fast.train()
    assert not fast.training
    trainable = optimized(network.train(), "all", ALL, training=True)
    assert trainable.train().training


def test_unknown_passes_are_refused() -> None:
    with pytest.raises(ArchdslError, match="'fuse'; there are needed, source_first, "):
        passes_named(["packed", "fuse"])
    assert [each.name for each in passes_named(["packed", "needed"])] == ["needed", "packed"]


def test_models_of_timms_are_rewritten_too() -> None:
    model = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=2, num_classes=5).eval()
    fast = optimized(model, "predicted", ALL, image=(3, 32, 32))
    images = torch.randn(3, 3, 32, 32)
    with torch.inference_mode():
        assert torch.allclose(fast(images), model(images), atol=1e-5)
    lines = {each.name: each.lines for each in fast.applied}
    assert len(lines["folded"]) == 4
    assert lines["packed"] == ("9 linear maps packed, 2 of them with the GELU behind them",)
