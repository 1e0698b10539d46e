"""Patches and prefix tokens against what they stand for."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from archdsl.nn.embeds.patch import PatchEmbed
from archdsl.nn.embeds.stream import StreamEmbed


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
