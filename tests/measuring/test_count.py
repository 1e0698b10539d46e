"""Figures of the paper's Table 5, in both conventions, from the traced modules."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import Tensor, nn

from archdsl.compiler import build
from archdsl.compiler.build import build_plan, build_without_weights
from archdsl.document.shelves import names
from archdsl.errors import MeasureError
from archdsl.measuring.count import Count, count
from archdsl.plan.cost import cost, params_allocated
from archdsl.plan.plan import Plan
from archdsl.plan.read import read_model

# Tokens by stream, params allocated, params (millions), fvcore's GMACs, GMACs.
TABLE = {
    "vittm-b-28-28": ("64 64", "126.52", "111.61", "7.0837", "7.159"),
    "vittm-b-32-16": ("49 196", "125.36", "111.03", "7.0961", "7.140"),
    "vit-b-16": ("197", "86.57", "86.57", "16.8674", "17.583"),
    "vit-b-32": ("50", "88.22", "88.22", "4.3679", "4.414"),
}


@pytest.mark.parametrize("name", TABLE)
def test_published_figures(name: str) -> None:
    plan = read_model(name).plan
    found = count(plan)
    assert TABLE[name] == (
        " ".join(str(stream.tokens) for stream in plan.streams.values()),
        f"{found.params_allocated / 1e6:.2f}",
        f"{found.params / 1e6:.2f}",
        f"{found.macs_fvcore / 1e9:.4f}",
        f"{found.macs / 1e9:.3f}",
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", names("specs"))
def test_the_plan_alone_knows_the_same(name: str) -> None:
    plan = read_model(name).plan
    planned = cost(plan)
    assert count(plan) == Count(
        params=planned.params,
        params_allocated=params_allocated(plan),
        macs=planned.macs,
        macs_fvcore=planned.macs_fvcore,
    )


@pytest.mark.parametrize("name", ["vittm-b-28-28", "vittm-b-32-16"])
def test_without_the_published_layout_all_is_used(name: str) -> None:
    published, plain = read_model(name).plan, read_model(name, ["published_layout=null"]).plan
    found = count(plain)
    assert found.params_allocated == found.params == count(published).params
    assert plain.arch_id == published.arch_id


def digits(*settings: str) -> Plan:
    return read_model("vittm-digits", settings).plan


@pytest.mark.slow
def test_different_layers_are_all_counted() -> None:
    whole, one = count(digits()), count(digits("depth=1"))
    mixed = count(digits("layers=[{at: [1, 3], process: {blocks: 2}}]"))
    per_layer = (whole.macs - one.macs) // 3
    assert whole.macs == one.macs + 3 * per_layer
    block = count(digits("depth=1", "process.blocks=2")).macs - one.macs
    assert mixed.macs == whole.macs + 2 * block


class _Unknown(nn.Module):
    def forward(self, target: Tensor, read: Tensor) -> Tensor:
        return (target + read).cumsum(dim=1)


class _Twice(nn.Module):
    def forward(self, target: Tensor, read: Tensor) -> Tensor:
        return target + read @ read.transpose(1, 2) @ read


def test_an_operation_nobody_can_count_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(build.FUSIONS, "add", _Unknown)
    with pytest.raises(MeasureError, match=r"cannot count these operations: aten::cumsum"):
        count(digits())


def test_a_module_that_costs_more_than_its_word_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(build.FUSIONS, "add", _Twice)
    with pytest.raises(MeasureError, match="macs: the traced module has"):
        count(digits())


# Any other network


TINY = ["process.dim=192", "process.block.head_dim=64", "depth=2"]


def test_timms_vit_counts_as_ours() -> None:
    ours = count(read_model("vit-b-16", TINY).plan)
    theirs = timm.create_model("vit_tiny_patch16_224", depth=2)
    assert count(theirs, image_shape=(3, 224, 224)) == ours


def test_a_convolutional_network_counts_as_timm_publishes() -> None:
    found = count(timm.create_model("resnet18"), image_shape=(3, 224, 224))
    assert found.uncounted == ()
    assert found.params == found.params_allocated == 11_689_512
    assert round(found.macs / 1e9, 2) == round(found.macs_fvcore / 1e9, 2) == 1.82


class _Own(nn.Module):
    """A user's own: attention of torch, an operation nobody can count, and a batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.unused = nn.Linear(2, 2)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.norm(images).flatten(2).repeat(1, 1, 1)
        found: Tensor = self.attention(tokens, tokens, tokens, need_weights=False)[0]
        return found.cumsum(dim=1) / 2


def test_a_module_of_ones_own_stays_as_it_is_and_says_what_is_not_counted() -> None:
    own = _Own()
    before = {name: each.clone() for name, each in own.state_dict().items()}
    found = count(own, image_shape=(3, 4, 4))
    assert found.uncounted == ("aten::cumsum", "aten::repeat")
    projections, products = 3 * 16 * (3 * 16 + 16), 2 * 3 * 3 * 16
    norm = found.macs - projections - products
    assert 0 < norm <= 5 * 3 * 16, "fvcore's own count of a batch norm"
    assert found.params == sum(each.numel() for each in own.parameters())
    assert all(torch.equal(each, before[name]) for name, each in own.state_dict().items())
    assert all(each.training for each in own.modules())


@pytest.mark.slow
def test_a_rewritten_network_counts_what_it_does() -> None:
    plan = digits()
    for network in (build_plan(plan), build_without_weights(plan)):
        assert count(network) == count(plan)
        network.replace("layers.1.process.blocks.0", nn.Identity())
        rewritten = count(network)
        assert rewritten.params < cost(plan).params
        assert rewritten.macs < cost(plan).macs
        network.replace("layers.1.read.fusion", _Twice())
        assert count(network).macs > rewritten.macs


@pytest.mark.slow
def test_a_conv_stem_counts_the_same_with_and_without_weights() -> None:
    plan = read_model("crossvit-18-dagger", ["depth=1"]).plan
    network = build_plan(plan)
    network.replace("classifiers.process.pooled_norm", nn.Identity())
    twin = build_without_weights(plan)
    twin.replace("classifiers.process.pooled_norm", nn.Identity())
    assert count(network) == count(twin)


def test_what_cannot_be_counted_says_why() -> None:
    with pytest.raises(MeasureError, match=r"which images Linear takes; say image_shape="):
        count(nn.Linear(4, 4))
    with pytest.raises(MeasureError, match=r"Linear cannot be traced .* \(1, 3, 5, 5\)"):
        count(nn.Linear(4, 4), image_shape=(3, 5, 5))
