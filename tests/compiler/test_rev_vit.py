"""Rev-ViT compiled from its document, against an implementation of its own in plain torch.

Both streams start as copies; each layer computes Y1 = X1 + Attn(LN X2), Y2 = X2 + MLP(LN Y1); the
streams side by side are averaged over tokens, normalised and classified (arXiv 2302.04869).
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor
from torch.nn import functional

import archdsl
from archdsl.plan.read import read_model

State = Mapping[str, Tensor]

PATCH, DEPTH, HEADS, EPS = 8, 3, 4, 1e-6
SMALL = [
    "image.size=32",
    f"depth={DEPTH}",
    f"process.embed.patch_size={PATCH}",
    "process.dim=48",
    "exchange.read.head_dim=12",
]


def linear(state: State, name: str, tokens: Tensor) -> Tensor:
    return functional.linear(tokens, state[f"{name}.weight"], state[f"{name}.bias"])


def layer_norm(state: State, name: str, tokens: Tensor) -> Tensor:
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    return functional.layer_norm(tokens, weight.shape, weight, bias, eps=EPS)


def self_attention(state: State, name: str, tokens: Tensor) -> Tensor:
    q, k, v = linear(state, f"{name}.qkv", tokens).chunk(3, dim=-1)
    read = []
    for a, b, c in zip(*(each.chunk(HEADS, dim=-1) for each in (q, k, v)), strict=True):
        read.append((a @ b.transpose(1, 2) / a.shape[-1] ** 0.5).softmax(dim=-1) @ c)
    return linear(state, f"{name}.proj", torch.cat(read, dim=-1))


def rev_vit(state: State, images: Tensor) -> Tensor:
    """images: (batch, channels, height, width) -> logits: (batch, classes)."""
    kernel = state["embeds.process.embed.proj.weight"]
    kernel = kernel.reshape(len(kernel), images.shape[1], PATCH, PATCH)
    bias = state["embeds.process.embed.proj.bias"]
    tokens = functional.conv2d(images, kernel, bias, stride=PATCH).flatten(2).transpose(1, 2)
    first = second = tokens + state["embeds.process.position"]
    for layer in range(DEPTH):
        name = f"layers.{layer}"
        seen = layer_norm(state, f"{name}.read.norms.memory", second)
        first = first + self_attention(state, f"{name}.read.head", seen)
        seen = layer_norm(state, f"{name}.write.norms.process", first)
        hidden = functional.gelu(linear(state, f"{name}.write.head.fc1", seen))
        second = second + linear(state, f"{name}.write.head.fc2", hidden)
    pooled = torch.cat([first, second], dim=-1).mean(dim=1)
    pooled = layer_norm(state, "classifiers.concat.pooled_norm", pooled)
    return linear(state, "classifiers.concat.linear", pooled)


@pytest.mark.parametrize("size", ["32", "[32, 16]"])
def test_logits_are_those_of_another_implementation(size: str) -> None:
    torch.manual_seed(0)
    spec = read_model("rev-vit-b", [*SMALL, f"image.size={size}"]).spec
    model = archdsl.compile(spec).double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    images = torch.randn(2, 3, *spec.image.size, dtype=torch.float64)
    with torch.no_grad():
        expected = rev_vit(model.state_dict(), images)
        assert expected.shape == (2, 10)
        assert expected.std() > 0.1
        torch.testing.assert_close(model(images), expected, rtol=0, atol=1e-10)
        assert list(model.forward_heads(images)) == ["concat"]


def test_every_tensor_is_one_that_the_other_implementation_uses() -> None:
    class Seen(dict[str, Tensor]):
        used: set[str]

        def __getitem__(self, name: str) -> Tensor:
            self.used.add(name)
            return super().__getitem__(name)

    model = archdsl.compile(read_model("rev-vit-b", SMALL).spec)
    state = Seen(model.state_dict())
    state.used = set()
    rev_vit(state, torch.zeros(1, 3, 32, 32))
    assert state.used == set(state)


def test_the_streams_can_be_run_backwards() -> None:
    # What the architecture is for: each layer's input can be computed from its output.
    torch.manual_seed(0)
    model = archdsl.compile(read_model("rev-vit-b", SMALL).spec).double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    state = model.state_dict()
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        start = model.embeds(images)
        after = model.forward_features(images)
        first, second = after["process"], after["memory"]
        for layer in reversed(range(DEPTH)):
            name = f"layers.{layer}"
            seen = layer_norm(state, f"{name}.write.norms.process", first)
            hidden = functional.gelu(linear(state, f"{name}.write.head.fc1", seen))
            second = second - linear(state, f"{name}.write.head.fc2", hidden)
            seen = layer_norm(state, f"{name}.read.norms.memory", second)
            first = first - self_attention(state, f"{name}.read.head", seen)
    for found, stream in ((first, "process"), (second, "memory")):
        torch.testing.assert_close(found, start[stream], rtol=0, atol=1e-10)
