"""LookupViT compiled from its documents, against an implementation of its own in plain torch.

As its authors wrote it (arXiv 2407.12753): one cross-attention, one norm for each stream and one
lookup MLP serve all layers; what the compressed tokens have taken from each lookup token is also
the share in which they give back, and the same value projection serves both ways.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor
from torch.nn import functional

import archdsl
from archdsl.nn.network import Network
from archdsl.plan.read import read_model

State = Mapping[str, Tensor]

PATCH, DEPTH, HEADS = 8, 3, 4
STREAM_EPS, PROJECTION_EPS = 1e-6, 1e-5


def compiled(grid: int, size: str = "32") -> Network:
    """A small LookupViT, all of its weights drawn at random."""
    name = {2: "lookupvit-b-3", 3: "lookupvit-b-10"}[grid]
    settings = [
        f"image.size={size}",
        f"depth={DEPTH}",
        f"memory.embed.patch_size={PATCH}",
        f"process.embed.grid={grid}",
        "process.dim=48",
        "process.block.head_dim=12",
        "output.num_classes=7",
    ]
    torch.manual_seed(0)
    model = archdsl.compile(read_model(name, settings).spec).double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def linear(state: State, name: str, tokens: Tensor) -> Tensor:
    return functional.linear(tokens, state[f"{name}.weight"], state[f"{name}.bias"])


def layer_norm(state: State, name: str, tokens: Tensor, eps: float) -> Tensor:
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    return functional.layer_norm(tokens, weight.shape, weight, bias, eps=eps)


def heads(tokens: Tensor) -> list[Tensor]:
    return list(tokens.chunk(HEADS, dim=-1))


def attention_maps(q: Tensor, k: Tensor) -> list[Tensor]:
    pairs = zip(heads(q), heads(k), strict=True)
    return [(a @ b.transpose(1, 2) / a.shape[-1] ** 0.5).softmax(dim=-1) for a, b in pairs]


def block(state: State, name: str, tokens: Tensor) -> Tensor:
    """The pre-norm ViT block of the compressed tokens."""
    seen = layer_norm(state, f"{name}.norm1", tokens, STREAM_EPS)
    q, k, v = linear(state, f"{name}.attn.qkv", seen).chunk(3, dim=-1)
    read = [m @ c for m, c in zip(attention_maps(q, k), heads(v), strict=True)]
    tokens = tokens + linear(state, f"{name}.attn.proj", torch.cat(read, dim=-1))
    seen = layer_norm(state, f"{name}.norm2", tokens, STREAM_EPS)
    hidden = functional.gelu(linear(state, f"{name}.mlp.fc1", seen))
    return tokens + linear(state, f"{name}.mlp.fc2", hidden)


def embedded(state: State, images: Tensor, grid: int) -> tuple[Tensor, Tensor]:
    """The first compressed and lookup tokens."""
    kernel = state["embeds.memory.embed.proj.weight"]
    kernel = kernel.reshape(len(kernel), images.shape[1], PATCH, PATCH)
    bias = state["embeds.memory.embed.proj.bias"]
    patches = functional.conv2d(images, kernel, bias, stride=PATCH)  # (batch, dim, rows, columns)
    pooled = functional.adaptive_avg_pool2d(patches, (grid, grid))
    compressed = pooled.flatten(2).transpose(1, 2) + state["embeds.process.position"]
    cls = state["embeds.memory.prefix"].expand(len(images), -1, -1)
    lookup = torch.cat([cls, patches.flatten(2).transpose(1, 2)], dim=1)
    return compressed, lookup + state["embeds.memory.position"]


def lookupvit(state: State, images: Tensor, grid: int) -> dict[str, Tensor]:
    """images: (batch, channels, height, width) -> stream -> logits: (batch, classes)."""
    compressed, lookup = embedded(state, images, grid)
    for layer in range(DEPTH):
        seen = layer_norm(state, "shared.process_norm", compressed, STREAM_EPS)
        known = layer_norm(state, "shared.memory_norm", lookup, STREAM_EPS)
        q, k, v = (
            linear(state, f"shared.read_head.{each}", tokens)
            for each, tokens in (("q", seen), ("k", known), ("v", known))
        )
        q = layer_norm(state, "shared.read_head.q_norm", q, PROJECTION_EPS)
        k = layer_norm(state, "shared.read_head.k_norm", k, PROJECTION_EPS)
        maps = attention_maps(q, k)
        read = [m @ c for m, c in zip(maps, heads(v), strict=True)]
        compressed = compressed + torch.cat(read, dim=-1)
        compressed = block(state, f"layers.{layer}.process.blocks.0", compressed)
        seen = layer_norm(state, "shared.process_norm", compressed, STREAM_EPS)
        v = linear(state, "shared.read_head.v", seen)
        v = layer_norm(state, "shared.write_head.v_norm", v, PROJECTION_EPS)
        written = [m.transpose(1, 2) @ c for m, c in zip(maps, heads(v), strict=True)]
        lookup = lookup + torch.cat(written, dim=-1)
        hidden = functional.gelu(linear(state, "shared.memory_block.fc1", lookup))
        lookup = lookup + linear(state, "shared.memory_block.fc2", hidden)
    pooled = {"memory": lookup[:, 0], "process": compressed.mean(dim=1)}
    return {
        name: linear(
            state,
            f"classifiers.{name}.linear",
            layer_norm(state, f"classifiers.{name}.pooled_norm", token, STREAM_EPS),
        )
        for name, token in pooled.items()
    }


@pytest.mark.parametrize("grid", [2, 3])
@pytest.mark.parametrize("size", ["32", "[24, 40]"])
def test_logits_are_those_of_another_implementation(grid: int, size: str) -> None:
    model = compiled(grid, size)
    images = torch.randn(2, *model.plan.image, dtype=torch.float64)
    with torch.no_grad():
        expected = lookupvit(model.state_dict(), images, grid)
        found = model.forward_heads(images)
        assert list(found) == ["memory", "process"]
        for name, logits in expected.items():
            assert logits.shape == (2, 7)
            assert logits.std() > 0.1
            torch.testing.assert_close(found[name], logits, rtol=0, atol=1e-10)
        torch.testing.assert_close(model(images), expected["memory"], rtol=0, atol=1e-10)


def test_every_tensor_is_one_that_the_other_implementation_uses() -> None:
    class Seen(dict[str, Tensor]):
        used: set[str]

        def __getitem__(self, name: str) -> Tensor:
            self.used.add(name)
            return super().__getitem__(name)

    state = Seen(compiled(2).state_dict())
    state.used = set()
    lookupvit(state, torch.zeros(1, 3, 32, 32, dtype=torch.float64), 2)
    assert state.used == set(state)


def learn(logits: Mapping[str, Tensor]) -> None:
    torch.autograd.backward(torch.cat(list(logits.values())).square().sum())


def test_gradients_of_what_is_shared_are_those_of_all_layers() -> None:
    model = compiled(2)
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    learn(model.forward_heads(images))
    state = {
        name: each.detach().clone().requires_grad_() for name, each in model.state_dict().items()
    }
    learn(lookupvit(state, images, 2))
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, state[name].grad, rtol=1e-9, atol=1e-9)
