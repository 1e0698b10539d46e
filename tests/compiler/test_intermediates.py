"""Tokens on the way: as hooks see them, and as timm's ViT gives them with the same weights."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from torch import Tensor

from archdsl.compiler.build import build_plan
from archdsl.compiler.weights.load import load_weights
from archdsl.nn.network import Network
from archdsl.plan.read import read_model

TINY = ["process.dim=24", "process.block.head_dim=8", "depth=3", "image.size=32"]


def network(name: str, *sets: str) -> Network:
    torch.manual_seed(0)
    return build_plan(read_model(name, sets).plan).eval()


def images_of(model: Network) -> Tensor:
    return torch.randn(2, *model.plan.image, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("indices", [None, 1, [0, -1], (1,)])
@pytest.mark.parametrize("fmt", ["NCHW", "NLC"])
@torch.no_grad()
def test_every_stream_is_what_hooks_see(indices: Any, fmt: str) -> None:
    model = network("lookupvit-b-7", "depth=3", "process.dim=24", "process.block.head_dim=8")
    images, seen = images_of(model), []
    for layer in model.layers:
        layer.register_forward_hook(lambda *call: seen.append(call[-1]))
    features, found = model.forward_intermediates(images, indices, output_fmt=fmt)
    numbers = {None: [0, 1, 2], 1: [2], (1,): [1]}.get(indices if indices != [0, -1] else 0, [0, 2])
    for name, stream in model.plan.streams.items():
        prefix, (rows, columns) = len(stream.prefix_tokens), stream.grid
        shape = (2, stream.dim, rows, columns) if fmt == "NCHW" else (2, rows * columns, stream.dim)
        assert [tuple(each.shape) for each in found[name]] == [shape] * len(numbers)
        for number, each in zip(numbers, found[name], strict=True):
            tokens = each.flatten(2).transpose(1, 2) if fmt == "NCHW" else each
            assert torch.equal(tokens, seen[number][name][:, prefix:])
    for name, tokens in model.forward_features(images).items():
        assert torch.equal(features[name], tokens)


@torch.no_grad()
def test_the_layers_behind_the_last_one_need_not_run() -> None:
    model = network("vittm-digits")
    images, calls = images_of(model), []
    for layer in model.layers:
        layer.register_forward_hook(lambda *_: calls.append(1))
    whole = model.forward_intermediates(images, [1], intermediates_only=True)
    assert len(calls) == len(model.layers)
    calls.clear()
    early = model.forward_intermediates(images, [1], intermediates_only=True, stop_early=True)
    assert len(calls) == 2
    assert all(torch.equal(early[name][0], whole[name][0]) for name in model.plan.streams)


@pytest.mark.parametrize("indices", [None, 2, [0, -1]])
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("fmt", ["NCHW", "NLC"])
@pytest.mark.parametrize("stop_early", [False, True])
@torch.no_grad()
def test_a_vit_gives_what_timms_gives(indices: Any, norm: bool, fmt: str, stop_early: bool) -> None:
    torch.manual_seed(0)
    theirs = timm.create_model(
        "vit_base_patch16_224", img_size=32, embed_dim=24, num_heads=3, depth=3, num_classes=1000
    ).eval()
    ours = network("vit-b-16", *TINY)
    load_weights(ours, theirs.state_dict(), "timm")
    options = {"norm": norm, "output_fmt": fmt, "stop_early": stop_early}
    images = images_of(ours)
    expected = theirs.forward_intermediates(
        images, indices, return_prefix_tokens=True, output_dict=True, **options
    )
    found = ours.forward_intermediates(
        images, indices, return_prefix_tokens=True, output_dict=True, **options
    )
    assert found.keys() == expected.keys()
    torch.testing.assert_close(found["image_features"]["process"], expected["image_features"])
    for key in ("image_intermediates", "image_intermediates_prefix"):
        torch.testing.assert_close(found[key]["process"], expected[key])
    final, pairs = ours.forward_intermediates(images, indices, return_prefix_tokens=True, **options)
    their_final, their_pairs = theirs.forward_intermediates(
        images, indices, return_prefix_tokens=True, **options
    )
    torch.testing.assert_close(final["process"], their_final)
    torch.testing.assert_close(pairs["process"], their_pairs)


def test_what_is_not_there_is_refused() -> None:
    model = network("vittm-digits")
    for wrong in ([4], [0, -5], 0, 5, []):
        with pytest.raises(ValueError, match=r"but there are 4 layers: .* from -4 to 3"):
            model.forward_intermediates(images_of(model), wrong)
    with pytest.raises(ValueError, match="output_fmt is 'NHWC', not one of: NCHW, NLC"):
        model.forward_intermediates(images_of(model), output_fmt="NHWC")
