"""Fusions against their formulas, and gates that all layers share."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from torch import nn

import archdsl
from archdsl.nn.fusion import AddEraseFusion, AddFusion, EraseFusion
from archdsl.nn.network import Network
from archdsl.plan.read import read_model


def test_add_and_erase() -> None:
    target, read = torch.randn(2, 5, 6), torch.randn(2, 5, 6)
    assert torch.equal(AddFusion()(target, read), target + read)
    assert torch.equal(EraseFusion()(target, read), read)


def test_add_erase_weighs_each_token() -> None:
    torch.manual_seed(0)
    fusion = AddEraseFusion(tokens=5, dim=6)
    target, read = torch.randn(2, 5, 6), torch.randn(2, 5, 6)
    fused = fusion(target, read)
    for image in range(2):
        weights = torch.sigmoid(fusion.gate(read[image].mean(dim=0)))
        assert weights.shape == (5,)
        for token, weight in enumerate(weights):
            expected = (1 - weight) * target[image, token] + weight * read[image, token]
            torch.testing.assert_close(fused[image, token], expected)


GATE = "exchange.{word}.fusion={{type: add_erase, gate: {gate}}}"


def gated(gate: str, *more: str) -> Network:
    torch.manual_seed(0)
    settings = [GATE.format(word=word, gate=gate) for word in ("read", "write")]
    model = archdsl.compile(read_model("vittm-digits", [*settings, *more]).spec)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model.eval()


def gates(model: Network) -> list[str]:
    return [name for name, _ in model.named_parameters() if name.endswith("gate.weight")]


IMAGES = torch.linspace(-1, 1, 2 * 64).reshape(2, 1, 8, 8)


def test_shared_gates_are_stored_once_and_each_learns_from_every_layer() -> None:
    model = gated("shared")
    assert gates(model) == ["shared.read_fusion.gate.weight", "shared.write_fusion.gate.weight"]
    own = gated("per_layer")
    assert gates(own) == [
        f"layers.{layer}.{word}.fusion.gate.weight"
        for layer in range(4)
        for word in ("read", "write")
    ]
    # Give every layer's own gate the shared weights: one network, whose gradients add up.
    state = model.state_dict()
    for layer in range(4):
        for word in ("read", "write"):
            for part in ("weight", "bias"):
                name = f"layers.{layer}.{word}.fusion.gate.{part}"
                state[name] = state[f"shared.{word}_fusion.gate.{part}"]
    own.load_state_dict({name: t for name, t in state.items() if not name.startswith("shared.")})
    for network in (model, own):
        network(IMAGES).square().sum().backward()
    assert torch.equal(model(IMAGES), own(IMAGES))
    shared = model.get_parameter("shared.read_fusion.gate.weight").grad
    parts = [own.get_parameter(f"layers.{n}.read.fusion.gate.weight").grad for n in range(4)]
    assert all(part is not None and part.abs().max() > 0 for part in parts)
    torch.testing.assert_close(shared, sum(part for part in parts if part is not None))


def test_layers_with_another_fusion_borrow_nothing() -> None:
    model = gated("shared", "layers=[{at: [0], exchange: {read: {fusion: {gate: per_layer}}}}]")
    assert sorted(gates(model)) == [
        "layers.0.read.fusion.gate.weight",
        "shared.read_fusion.gate.weight",
        "shared.write_fusion.gate.weight",
    ]
    assert not gated("shared", *(f"exchange.{w}.fusion=erase" for w in ("read", "write"))).shared


@pytest.mark.parametrize("way", ["copied", "pickled", "another type"])
def test_what_is_shared_stays_shared(way: str) -> None:
    model = gated("shared")
    expected = model(IMAGES)
    if way == "copied":
        twin = copy.deepcopy(model)
    elif way == "pickled":
        buffer = io.BytesIO()
        torch.save(model, buffer)
        buffer.seek(0)
        twin = torch.load(buffer, weights_only=False)
    else:
        twin = copy.deepcopy(model).double().float()
    torch.testing.assert_close(twin(IMAGES), expected)
    with torch.no_grad():
        twin.get_parameter("shared.read_fusion.gate.bias").add_(3)
    assert not torch.allclose(twin(IMAGES), expected)
    torch.testing.assert_close(model(IMAGES), expected)
