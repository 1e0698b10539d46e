"""A module that is put in another's place is the one that everybody calls, and the one stored."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archdsl.compiler.build import build_plan, build_without_weights
from archdsl.nn.layer import Borrowed
from archdsl.nn.network import Network
from archdsl.plan.read import read_model

PLAN = read_model("lookupvit-b-7").plan
CALLS = {
    "shared": 0,
    "shared.process_norm": 24,
    "shared.memory_norm": 12,
    "shared.read_head": 12,
    "shared.read_head.v": 24,  # the writes borrow it once more
    "shared.write_head": 12,
    "shared.memory_block": 12,
    "layers.3.read": 1,
    "layers.3.process.blocks.0": 1,
    "embeds.memory.embed": 1,
    "classifiers.memory": 1,
}
"""Of a forward pass of LookupViT-7, which has 12 layers."""


class Doubled(nn.Linear):
    """Twice what a linear map gives."""

    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


def small(*sets: str) -> Network:
    words = ["depth=2", "image.size=64", "process.embed.grid=2"]
    words += ["process.dim=24", "process.block.head_dim=8"]
    torch.manual_seed(0)
    network = build_plan(read_model("lookupvit-b-7", [*words, *sets]).plan).eval()
    for classifier in network.classifiers.values():
        nn.init.normal_(classifier.get_parameter("linear.weight"))
    return network


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.slow
@pytest.mark.parametrize("path", CALLS)
def test_everybody_calls_the_new_module_and_the_state_dict_holds_it(path: str) -> None:
    network = build_without_weights(PLAN).eval()
    old, names = network.get_submodule(path), list(network.state_dict())
    new, calls = copy.deepcopy(old), {"old": 0, "new": 0}
    for name, module in (("old", old), ("new", new)):

        def counted(*_: Any, name: str = name) -> None:
            calls[name] += 1

        module.register_forward_hook(counted)
    network.replace(path, new)
    network(torch.empty(1, *PLAN.image, device="meta"))
    parts = set(network.modules())
    assert all(each.owned in parts for each in parts if isinstance(each, Borrowed))
    assert calls == {"old": 0, "new": CALLS[path]}
    stored = network.state_dict(keep_vars=True)
    assert list(stored) == names
    assert all(stored[f"{path}.{name}"] is each for name, each in new.named_parameters())


def test_new_weights_are_those_of_every_borrower(images: Tensor) -> None:
    network, twin = small(), small()
    old = network.get_submodule("shared.read_head.v")
    assert isinstance(old, nn.Linear)
    doubled = Doubled(old.in_features, old.out_features)
    doubled.load_state_dict(old.state_dict())
    network.replace("shared.read_head.v", doubled)
    with torch.no_grad():
        for parameter in twin.get_submodule("shared.read_head.v").parameters():
            parameter.mul_(2)
    torch.testing.assert_close(network(images), twin(images))
    assert not torch.allclose(network(images), small()(images))
    assert list(network.state_dict()) == list(twin.state_dict())


def test_one_borrower_may_get_a_module_of_its_own(images: Tensor) -> None:
    network, before = small(), small()(images)
    network.replace("layers.1.read.head", copy.deepcopy(network.shared["read_head"]))
    torch.testing.assert_close(network(images), before)
    nn.init.zeros_(network.get_parameter("layers.1.read.head.v.weight"))
    assert not torch.allclose(network(images), before)
    assert network.shared["read_head"].get_parameter("v.weight").any()


def test_what_lacks_a_borrowed_part_is_refused(images: Tensor) -> None:
    network, before = small(), small()(images)
    for path in ("layers.1.read.head", "shared.read_head", "layers.1.read"):
        with pytest.raises(ValueError, match=r"lacks .*: layers\.\d\.write\.values"):
            network.replace(path, nn.Identity())
    torch.testing.assert_close(network(images), before)


def test_a_path_to_nothing_is_refused() -> None:
    with pytest.raises(AttributeError, match="read_haed"):
        small().replace("shared.read_haed", nn.Identity())


def test_a_copy_has_borrowers_of_its_own(images: Tensor) -> None:
    network = small()
    before, twin = network(images), copy.deepcopy(network)
    twin.replace("shared.memory_block", nn.Identity())
    torch.testing.assert_close(network(images), before)
    assert not torch.allclose(twin(images), before)


@pytest.mark.slow
@pytest.mark.parametrize("values", ["own", "tied"])
def test_compiled_and_exported_networks_compute_the_same(images: Tensor, values: str) -> None:
    network = small(f"exchange.write.values={values}")
    network.replace("shared.memory_block", nn.Identity())
    with torch.no_grad():
        expected = network(images)
        compiled = torch.compile(network, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(images), expected)
        exported = torch.export.export(network, (images,))
        torch.testing.assert_close(exported.module()(images), expected)
    assert exported.state_dict.keys() == network.state_dict().keys()
