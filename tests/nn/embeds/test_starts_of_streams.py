"""Embeddings against what they stand for, and how two streams start together."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archdsl.nn.embeds.conv_stem import ConvStem
from archdsl.nn.embeds.downsample import Downsample
from archdsl.nn.embeds.learned import LearnedEmbed
from archdsl.nn.embeds.patch import PatchEmbed
from archdsl.nn.embeds.stream import Embeds, StreamEmbed
from tests.fixtures.references import drawn, randn


def test_a_stem_is_convolutions_with_relu_between_them() -> None:
    stem = drawn(ConvStem(channels=2, strides=(4, 2, 1), kernels=(7, 3, 1), dim=12))
    reference = nn.Sequential(
        nn.Conv2d(2, 3, kernel_size=7, stride=4, padding=3),
        nn.ReLU(),
        nn.Conv2d(3, 6, kernel_size=3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 12, kernel_size=1, stride=1),
    ).double()
    reference.load_state_dict(
        {name.removeprefix("proj."): each for name, each in stem.state_dict().items()}
    )
    images = randn(2, 2, 16, 24)
    tokens = stem(images)
    assert tokens.shape == (2, 6, 12)
    expected = reference(images)  # (batch, dim, rows, columns)
    for row in range(2):
        for column in range(3):
            torch.testing.assert_close(
                tokens[:, 3 * row + column], expected[:, :, row, column], rtol=0, atol=1e-12
            )


def test_a_kernel_as_large_as_its_stride_is_a_patch() -> None:
    stem = drawn(ConvStem(channels=2, strides=(4,), kernels=(4,), dim=5))
    patches = PatchEmbed(channels=2, patch_height=4, patch_width=4, dim=5).double()
    kernel, bias = stem.state_dict().values()
    patches.load_state_dict({"proj.weight": kernel.flatten(1), "proj.bias": bias})
    images = randn(2, 2, 8, 12)
    torch.testing.assert_close(stem(images), patches(images), rtol=0, atol=1e-12)


def downsample(method: str, *, rows: int, columns: int, dim: int = 6) -> Downsample:
    return drawn(
        Downsample(
            source_rows=4,
            source_columns=6,
            rows=rows,
            columns=columns,
            method=method,
            source_dim=6,
            dim=dim,
        )
    )


def test_average_downsampling_is_the_mean_of_the_patches_covered() -> None:
    tokens = randn(2, 24, 6)
    grid = tokens.reshape(2, 4, 6, 6)  # (batch, rows, columns, dim)
    made = downsample("average", rows=2, columns=3)(tokens)
    assert made.shape == (2, 6, 6)
    for row in range(2):
        for column in range(3):
            covered = grid[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            torch.testing.assert_close(made[:, 3 * row + column], covered.mean(dim=(1, 2)))
    # Rows that do not divide: each token covers every row it touches.
    made = downsample("average", rows=3, columns=1)(tokens)
    for token, (start, stop) in enumerate([(0, 2), (1, 3), (2, 4)]):
        torch.testing.assert_close(made[:, token], grid[:, start:stop].mean(dim=(1, 2)))


def test_bilinear_downsampling_weighs_the_nearest_patches() -> None:
    tokens = randn(2, 24, 6)
    grid = tokens.reshape(2, 4, 6, 6)
    made = downsample("bilinear", rows=3, columns=6)(tokens).reshape(2, 3, 6, 6)
    # Centres of 3 rows over 4: at 1/6, 1.5 and 2 + 5/6 of the source's.
    torch.testing.assert_close(made[:, 0], 5 / 6 * grid[:, 0] + 1 / 6 * grid[:, 1])
    torch.testing.assert_close(made[:, 1], (grid[:, 1] + grid[:, 2]) / 2)
    torch.testing.assert_close(made[:, 2], 1 / 6 * grid[:, 2] + 5 / 6 * grid[:, 3])


@pytest.mark.parametrize("method", ["average", "bilinear"])
def test_a_downsampled_stream_of_another_width_is_mapped_to_it(method: str) -> None:
    tokens = randn(2, 24, 6)
    same, other = (downsample(method, rows=2, columns=2, dim=dim) for dim in (6, 5))
    assert not list(same.parameters())
    weight, bias = other.get_parameter("proj.weight"), other.get_parameter("proj.bias")
    torch.testing.assert_close(other(tokens), same(tokens) @ weight.T + bias, rtol=0, atol=1e-12)


def test_learned_tokens_are_one_table_for_every_image() -> None:
    embed = LearnedEmbed(num_tokens=5, dim=6)
    assert 0 < embed.table.abs().max() < 0.1
    tokens = embed(torch.randn(3, 2, 8, 8))
    assert torch.equal(tokens, embed.table.expand(3, 5, 6))
    tokens.sum().backward()
    assert embed.table.grad is not None
    assert (embed.table.grad == 3).all()


def image_stream(dim: int = 6, prefix: tuple[str, ...] = ()) -> StreamEmbed:
    """4 x 4 patches of images of 8 x 8."""
    patches = PatchEmbed(channels=1, patch_height=2, patch_width=2, dim=dim)
    return StreamEmbed(embed=patches, tokens=16 + len(prefix), dim=dim, prefix_tokens=prefix)


IMAGES = torch.linspace(-1, 1, 3 * 64, dtype=torch.float64).reshape(3, 1, 8, 8)


@pytest.mark.parametrize("first", ["process", "memory"])
def test_a_copy_has_positions_and_prefix_tokens_of_the_other_stream(first: str) -> None:
    copy = StreamEmbed(embed=nn.Identity(), tokens=17, dim=6, origin="copy", positions=False)
    second = {"process": "memory", "memory": "process"}[first]
    embeds = drawn(Embeds({first: image_stream(prefix=("cls",)), second: copy}))
    streams = embeds(IMAGES)
    assert list(streams) == [first, second]
    assert torch.equal(streams[first], streams[second])
    assert not list(embeds.get_submodule(second).parameters())
    # Written before the stream it copies, it still starts after it.
    turned = Embeds({name: cast(StreamEmbed, embeds[name]) for name in (second, first)})
    assert list(turned(IMAGES)) == [second, first]
    assert torch.equal(turned(IMAGES)[second], streams[first])


def test_a_downsampled_stream_sees_patches_without_positions_and_prefix_tokens() -> None:
    pool = Downsample(
        source_rows=4, source_columns=4, rows=2, columns=2, method="average", source_dim=6, dim=6
    )
    embeds = drawn(
        Embeds(
            {
                "process": StreamEmbed(embed=pool, tokens=4, dim=6, origin="other"),
                "memory": image_stream(prefix=("cls", "distillation")),
            }
        )
    )
    streams = embeds(IMAGES)
    patches = streams["memory"][:, 2:] - embeds.get_parameter("memory.position")[:, 2:]
    means = patches.reshape(3, 2, 2, 2, 2, 6).mean(dim=(2, 4)).flatten(1, 2)
    expected = means + embeds.get_parameter("process.position")
    torch.testing.assert_close(streams["process"], expected, rtol=0, atol=1e-12)


def test_learned_tokens_behind_prefix_tokens_have_no_positions() -> None:
    embed = drawn(
        StreamEmbed(
            embed=LearnedEmbed(num_tokens=3, dim=6),
            tokens=4,
            dim=6,
            prefix_tokens=["cls"],
            origin="nothing",
            positions=False,
        )
    )
    assert {name for name, _ in embed.named_parameters()} == {"prefix", "embed.table"}
    expected = torch.cat([each.expand(3, -1, -1) for each in embed.parameters()], dim=1)
    assert torch.equal(embed(IMAGES)[1], expected)


def test_a_stream_may_see_the_image_at_another_size() -> None:
    seen: list[Tensor] = []
    patches = PatchEmbed(channels=1, patch_height=2, patch_width=3, dim=6)
    patches.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    embed = drawn(StreamEmbed(embed=patches, tokens=6, dim=6, resize=(4, 9)))
    _, tokens = embed(IMAGES)
    resized = functional.interpolate(IMAGES, (4, 9), mode="bicubic", align_corners=False)
    [image] = seen
    assert torch.equal(image, resized)
    assert tokens.shape == (3, 6, 6)
