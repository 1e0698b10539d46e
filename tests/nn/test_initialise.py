"""Fresh weights: drawn from the seed, from the published distributions, none left out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from archdsl.compiler.build import BLOCKS, build_plan
from archdsl.nn.network import Network
from archdsl.plan.plan import Plan
from archdsl.plan.read import read_model

SETTINGS = [
    "image={size: 32, channels: 3}",
    "process.prefix_tokens=[cls]",
    "memory.prefix_tokens=[cls]",
    "memory.block={type: mlp, mlp_ratio: 2}",
    "process.blocks=2",
    "published_layout=true",
]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return read_model("vittm-digits", SETTINGS).plan


def fresh(plan: Plan, seed: int) -> Network:
    # Memory that an earlier network used and that is not cleared shows what is left undrawn.
    del_me = [torch.full((size,), torch.nan) for size in (64, 4096, 8192, 16384) for _ in range(40)]
    del del_me
    torch.manual_seed(seed)
    return build_plan(plan)


@pytest.mark.slow
def test_every_weight_comes_from_the_seed(plan: Plan) -> None:
    one, again, other = (fresh(plan, seed).state_dict() for seed in (0, 0, 1))
    assert one.keys() == again.keys()
    for name, tensor in one.items():
        assert torch.isfinite(tensor).all(), name
        assert torch.equal(tensor, again[name]), name
    assert not torch.equal(one["embeds.memory.position"], other["embeds.memory.position"])


def test_every_parameter_has_its_published_distribution(plan: Plan) -> None:
    network = fresh(plan, 0)
    seen = set()
    for name, module in network.named_modules():
        seen |= {f"{name}.{own}" for own, _ in module.named_parameters(recurse=False)}
        if isinstance(module, nn.LayerNorm):
            assert (module.weight == 1).all(), name
            assert (module.bias == 0).all(), name
        elif isinstance(module, nn.Linear):
            assert (module.bias == 0).all(), name
            if name.startswith("classifiers."):
                assert (module.weight == 0).all(), name
            elif name.startswith("embeds."):  # Xavier uniform
                bound = (6 / sum(module.weight.shape)) ** 0.5
                assert 0.9 * bound < module.weight.abs().max() <= bound, name
            else:
                assert 0.017 < module.weight.std() < 0.023, name
    for stream in ("process", "memory"):
        assert 0.015 < network.get_parameter(f"embeds.{stream}.position").std() < 0.025
        assert 0 < network.get_parameter(f"embeds.{stream}.prefix").abs().max() < 1e-5
    for name, parameter in network.unused.named_parameters():
        assert (parameter == 0).all(), name
        assert not parameter.requires_grad, name
    assert seen == {name for name, _ in network.named_parameters()}
    assert all(p.requires_grad for n, p in network.named_parameters() if "unused." not in n)


class _Silent(nn.Module):
    def __init__(self, *, dim: int, **_: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(dim))


def test_a_module_that_does_not_say_how_it_starts(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BLOCKS, "mlp", _Silent)
    with pytest.raises(TypeError, match=r"layers\.0\.memory\.blocks\.0 \(_Silent\) start"):
        build_plan(plan)


def test_weights_follow_the_default_device_and_dtype(plan: Plan) -> None:
    with torch.device("meta"):
        assert {p.device.type for p in build_plan(plan).parameters()} == {"meta"}
    torch.set_default_dtype(torch.float64)
    try:
        assert {p.dtype for p in build_plan(plan).parameters()} == {torch.float64}
    finally:
        torch.set_default_dtype(torch.float32)
