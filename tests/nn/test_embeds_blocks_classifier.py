"""Patches, blocks, exchanges and classifiers, each against what it stands for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archdsl.nn.blocks import MlpBlock, transformer_block
from archdsl.nn.classifier import Classifier
from archdsl.nn.embeds.patch import PatchEmbed
from archdsl.nn.embeds.stream import StreamEmbed
from archdsl.nn.fusion import AddFusion
from archdsl.nn.layer import Blocks, Exchange, Layer, stream_norm


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def normalised(made: nn.Module, name: str, tokens: Tensor) -> Tensor:
    weight, bias = (made.get_parameter(f"{name}.{each}") for each in ("weight", "bias"))
    return functional.layer_norm(tokens, weight.shape, weight, bias, eps=1e-6)


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
    alone, tokens = embed(images)
    tokens = tokens - embed.position
    assert torch.equal(alone, patches(images))
    torch.testing.assert_close(tokens[:, 1:], alone)
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


def of(module: nn.Module, name: str, tokens: Tensor) -> Tensor:
    """One linear map of a module, written out."""
    weight, bias = (module.get_parameter(f"{name}.{each}") for each in ("weight", "bias"))
    return tokens @ weight.T + bias


@pytest.mark.parametrize("norm", [True, False])
def test_mlp_block_with_and_without_its_norm(norm: bool) -> None:
    block = MlpBlock(dim=6, mlp_dim=3, norm=norm).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    tokens = torch.randn(2, 4, 6, dtype=torch.float64)
    seen = tokens
    if norm:
        weight, bias = (block.get_parameter(f"norm.{each}") for each in ("weight", "bias"))
        seen = functional.layer_norm(tokens, (6,), weight, bias, eps=1e-5)
    expected = tokens + of(block, "fc2", functional.gelu(of(block, "fc1", seen)))
    torch.testing.assert_close(block(tokens), expected, rtol=0, atol=1e-12)
    assert len(list(block.parameters())) == (6 if norm else 4)


def test_layer_scale_weighs_each_channel_of_both_branches() -> None:
    block = transformer_block(dim=6, num_heads=2, mlp_dim=5, layer_scale=0.25).double()
    scales = [block.get_parameter(f"ls{n}.gamma") for n in (1, 2)]
    assert all((scale == 0.25).all() for scale in scales)
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    tokens = torch.randn(2, 4, 6, dtype=torch.float64)
    attention = block.get_submodule("attn")(normalised(block, "norm1", tokens))
    between = tokens + scales[0] * attention
    mlp = block.get_submodule("mlp")(normalised(block, "norm2", between))
    expected = between + scales[1] * mlp
    torch.testing.assert_close(block(tokens), expected, rtol=0, atol=1e-12)


class _Mean(nn.Module):
    """A head whose result is easy to foretell."""

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        return target * 0 + source.mean(dim=(1, 2), keepdim=True)


def exchange(*, replace: bool, norms: dict[str, int]) -> Exchange:
    """An exchange whose norms (by name, with their widths) are drawn at random."""
    made = Exchange(
        target="process",
        source="memory",
        norms={name: stream_norm(dim) for name, dim in norms.items()},
        replace=replace,
        head=_Mean(),
        fusion=AddFusion(),
    )
    for norm in made.norms.values():
        nn.init.normal_(norm.get_parameter("weight"))
        nn.init.normal_(norm.get_parameter("bias"))
    return made


def test_replace_makes_the_normalised_values_the_streams() -> None:
    streams = {"process": torch.randn(2, 3, 6), "memory": torch.randn(2, 5, 6)}
    made = exchange(replace=True, norms={"both": 6})
    after = made(streams)
    process, memory = made.norms["both"](streams["process"]), made.norms["both"](streams["memory"])
    torch.testing.assert_close(after["memory"], memory)
    torch.testing.assert_close(after["process"], process + memory.mean(dim=(1, 2), keepdim=True))


def test_pre_leaves_the_streams_as_they_were() -> None:
    streams = {"process": torch.randn(2, 3, 6), "memory": torch.randn(2, 5, 4)}
    made = exchange(replace=False, norms={"process": 6, "memory": 4})
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


def linear(made: Classifier, pooled: Tensor) -> Tensor:
    return pooled @ made.get_parameter("linear.weight").T + made.get_parameter("linear.bias")


def classifier(streams: dict[str, int], *, dim: int, pool: str, norm: str) -> Classifier:
    made = Classifier(streams=streams, dim=dim, num_classes=4, pool=pool, norm=norm)
    for parameter in made.parameters():
        nn.init.normal_(parameter)
    return made.double()


@pytest.mark.parametrize("norm", ["tokens", "pooled", "both", "none"])
@pytest.mark.parametrize("pool", ["mean", "cls", "distillation"])
def test_classifiers_normalise_pool_and_map(pool: str, norm: str) -> None:
    made = classifier({"memory": 2}, dim=6, pool=pool, norm=norm)
    streams = {name: torch.randn(2, 5, 6, dtype=torch.float64) for name in ("process", "memory")}
    seen = made.normalised(streams)
    assert list(seen) == ["memory"]
    tokens = streams["memory"]
    if norm in ("tokens", "both"):
        tokens = normalised(made, "norm", tokens)
    torch.testing.assert_close(seen["memory"], tokens, rtol=0, atol=1e-12)
    pooled = {"mean": tokens[:, 2:].mean(dim=1), "cls": tokens[:, 0], "distillation": tokens[:, 1]}
    expected = pooled[pool]
    if norm in ("pooled", "both"):
        expected = normalised(made, "pooled_norm", expected)
    torch.testing.assert_close(made(seen), linear(made, expected), rtol=0, atol=1e-12)


def test_one_classifier_sees_several_streams_side_by_side() -> None:
    made = classifier({"memory": 0, "process": 1}, dim=10, pool="mean", norm="pooled")
    streams = {
        "process": torch.randn(2, 3, 6, dtype=torch.float64),
        "memory": torch.randn(2, 5, 4, dtype=torch.float64),
    }
    # In the classifier's own order, and without the prefix token of one of them.
    pooled = torch.cat([streams["memory"].mean(dim=1), streams["process"][:, 1:].mean(dim=1)], -1)
    expected = linear(made, normalised(made, "pooled_norm", pooled))
    torch.testing.assert_close(made(made.normalised(streams)), expected, rtol=0, atol=1e-12)
