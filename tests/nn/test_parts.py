"""Embeddings, blocks, exchanges and classifiers, each against what it stands for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archdsl.nn.blocks import MlpBlock, transformer_block
from archdsl.nn.classifier import Classifier
from archdsl.nn.embed import PatchEmbed, StreamEmbed
from archdsl.nn.fusion import AddFusion
from archdsl.nn.layer import Blocks, Exchange, Layer


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_patches_are_a_strided_convolution() -> None:
    embed = PatchEmbed(channels=2, patch_height=4, patch_width=3, dim=5)
    images = torch.randn(2, 2, 8, 12)
    kernel = embed.proj.weight.reshape(5, 2, 4, 3)
    expected = functional.conv2d(images, kernel, embed.proj.bias, stride=(4, 3))
    torch.testing.assert_close(embed(images), expected.flatten(2).transpose(1, 2))


def test_prefix_tokens_stand_in_front_and_have_positions() -> None:
    patches = PatchEmbed(channels=1, patch_height=2, patch_width=2, dim=6)
    embed = StreamEmbed(embed=patches, tokens=5, dim=6, prefix_tokens=["cls"])
    assert embed.prefix is not None
    nn.init.normal_(embed.prefix)
    images = torch.randn(3, 1, 4, 4)
    tokens = embed(images) - embed.position
    torch.testing.assert_close(tokens[:, 1:], patches(images))
    torch.testing.assert_close(tokens[:, :1], embed.prefix.expand(3, -1, -1))


@pytest.mark.parametrize(("dim", "mlp_dim"), [(12, 1), (12, 5), (49, 131), (768, 3071), (3, 1000)])
def test_transformer_blocks_have_the_very_width_asked_for(dim: int, mlp_dim: int) -> None:
    block = transformer_block(dim=dim, num_heads=1, mlp_dim=mlp_dim)
    assert block.get_parameter("mlp.fc1.weight").shape == (mlp_dim, dim)


def test_mlp_block_is_a_residual_of_each_token() -> None:
    block = MlpBlock(dim=6, mlp_dim=3)
    tokens = torch.randn(2, 4, 6)
    together = block(tokens)
    torch.testing.assert_close(together[:, 1:2], block(tokens[:, 1:2]))
    nn.init.zeros_(block.fc2.weight)
    nn.init.zeros_(block.fc2.bias)
    torch.testing.assert_close(block(tokens), tokens)


class _Mean(nn.Module):
    """A head whose result is easy to foretell."""

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        return target * 0 + source.mean(dim=(1, 2), keepdim=True)


def exchange(*, replace: bool, shared: bool, source_dim: int = 6) -> Exchange:
    made = Exchange(
        target="process",
        source="memory",
        target_dim=6,
        source_dim=source_dim,
        replace=replace,
        shared_norm=shared,
        head=_Mean(),
        fusion=AddFusion(),
    )
    for norm in made.norms.values():
        nn.init.normal_(norm.get_parameter("weight"))
        nn.init.normal_(norm.get_parameter("bias"))
    return made


def test_replace_makes_the_normalised_values_the_streams() -> None:
    streams = {"process": torch.randn(2, 3, 6), "memory": torch.randn(2, 5, 6)}
    made = exchange(replace=True, shared=True)
    after = made(streams)
    process, memory = made.norms["both"](streams["process"]), made.norms["both"](streams["memory"])
    torch.testing.assert_close(after["memory"], memory)
    torch.testing.assert_close(after["process"], process + memory.mean(dim=(1, 2), keepdim=True))


def test_pre_leaves_the_streams_as_they_were() -> None:
    streams = {"process": torch.randn(2, 3, 6), "memory": torch.randn(2, 5, 4)}
    made = exchange(replace=False, shared=False, source_dim=4)
    after = made(streams)
    memory = made.norms["memory"](streams["memory"])
    assert after["memory"] is streams["memory"]
    torch.testing.assert_close(
        after["process"], streams["process"] + memory.mean(dim=(1, 2), keepdim=True)
    )


def test_a_layer_runs_its_words_in_order() -> None:
    class Times(nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        def forward(self, tokens: Tensor) -> Tensor:
            return tokens * self.factor + self.factor

    first = Blocks(stream="process", blocks=[Times(2), Times(3)])
    layer = Layer({"process": first, "memory": Blocks(stream="memory", blocks=[Times(5)])})
    streams = {"process": torch.ones(1, 1, 1), "memory": torch.ones(1, 1, 1)}
    after = layer(streams)
    assert (after["process"].item(), after["memory"].item()) == (15, 10)
    assert streams["process"].item() == 1
    assert [name for name, _ in layer.named_children()] == ["process", "memory"]


@pytest.mark.parametrize("norm", ["tokens", "pooled", "both"])
@pytest.mark.parametrize("pool", ["mean", "cls"])
def test_classifiers_normalise_pool_and_map(pool: str, norm: str) -> None:
    made = Classifier(dim=6, prefix_tokens=1, num_classes=4, pool=pool, norm=norm)
    for parameter in made.parameters():
        nn.init.normal_(parameter)
    tokens = torch.randn(2, 5, 6)
    normalised = made.norm(tokens)
    assert (normalised is tokens) == (norm == "pooled")
    pooled = normalised[:, 0] if pool == "cls" else normalised[:, 1:].mean(dim=1)
    if norm != "tokens":
        weight, bias = (made.get_parameter(f"pooled_norm.{each}") for each in ("weight", "bias"))
        pooled = functional.layer_norm(pooled, (6,), weight, bias, eps=1e-6)
    expected = pooled @ made.get_parameter("linear.weight").T + made.get_parameter("linear.bias")
    torch.testing.assert_close(made(normalised), expected)
