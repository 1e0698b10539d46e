"""CrossViT documents are timm's CrossViTs: equal weights give equal outputs."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from timm import create_model
from timm.layers import pos_embed
from timm.models.crossvit import CrossVit
from torch import Tensor

import archdsl
from archdsl.compiler.build import build_without_weights
from archdsl.document.tree import tree_of
from archdsl.errors import WeightsError
from archdsl.nn.network import Network
from archdsl.plan.read import check_model, read_model

PUBLISHED = {
    "crossvit-18": "crossvit_18_240",
    "crossvit-18-dagger": "crossvit_18_dagger_240",
    "crossvit-b": "crossvit_base_240",
}


def randomised(model: CrossVit) -> CrossVit:
    """Every parameter drawn at random: zeros and ones would hide mistakes."""
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
        else:
            torch.nn.init.normal_(parameter, mean=float("norm" in name), std=0.1)
    return model.eval()


def tiny(**changes: Any) -> CrossVit:
    """A CrossViT of 48 pixels; its larger patches see 32."""
    arguments: dict[str, Any] = {
        "img_size": 48,
        "img_scale": (1.0, 2 / 3),
        "patch_size": (12, 16),
        "embed_dim": (24, 36),
        "depth": ((1, 2, 0), (1, 2, 0)),
        "num_heads": (3, 3),
        "mlp_ratio": (2, 2, 1),
        "num_classes": 7,
    }
    return randomised(CrossVit(**(arguments | changes)))


def document(*, dagger: bool = False, size: int = 48) -> Network:
    def stream(patch: int, dim: int, strides: list[int], blocks: int) -> dict[str, Any]:
        stem = {"type": "conv_stem", "strides": strides}
        return {
            "embed": stem if dagger else {"type": "patch", "patch_size": patch},
            "prefix_tokens": ["cls"],
            "dim": dim,
            "block": {"type": "transformer", "num_heads": 3, "mlp_ratio": 2},
            "blocks": blocks,
        }

    head = {
        "type": "cross_attention",
        "queries": "cls",
        "keys": "patches",
        "with_query": True,
        "width": "source",
        "num_heads": 3,
        "fusion": "erase",
    }
    whole = {
        "archdsl": 1,
        "name": "tiny",
        "image": {"size": size},
        "depth": 2,
        "process": {"resize": size * 2 // 3, **stream(16, 36, [4, 2, 2], 2)},
        "memory": stream(12, 24, [4, 3, 1], 1),
        "exchange": {
            "order": [["process", "memory"], ["read", "write"]],
            "norm": {"placement": "none"},
            "read": head,
            "write": head,
        },
        "output": {
            "num_classes": 7,
            "pool": "cls",
            "norm": {"process": "tokens", "memory": "tokens"},
            "predict": "mean",
        },
    }
    return archdsl.compile(check_model(tree_of(whole, source="tiny")).spec).eval()


@pytest.mark.parametrize("dagger", [False, True])
def test_tiny_models_in_double_precision(dagger: bool) -> None:
    reference, model = tiny(multi_conv=dagger).double(), document(dagger=dagger).double()
    archdsl.load_weights(model, reference.state_dict())
    images = torch.randn(2, 3, 48, 48, dtype=torch.float64)
    with torch.no_grad():
        features = model.forward_features(images)
        memory, process = reference.forward_features(images)
        torch.testing.assert_close(features["memory"], memory, rtol=0, atol=1e-10)
        torch.testing.assert_close(features["process"], process, rtol=0, atol=1e-10)
        torch.testing.assert_close(model(images), reference(images), rtol=0, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes(name: str) -> None:
    with torch.device("meta"):
        made = cast(CrossVit, create_model(PUBLISHED[name], pretrained=False))
    reference = randomised(made.to_empty(device="cpu"))
    model = build_without_weights(read_model(name).plan).to_empty(device="cpu").eval()
    archdsl.load_weights(model, reference.state_dict(), layout="timm")
    images = torch.randn(1, 3, 240, 240)
    with torch.no_grad():
        logits = model(images)
        assert logits.std() > 0.3
        torch.testing.assert_close(logits, reference(images), rtol=0, atol=1e-5)


def test_position_tables_of_another_grid_are_resampled() -> None:
    state = tiny().state_dict()
    model = document(size=96)
    archdsl.load_weights(model, state)
    for stream, branch, side in (("memory", 0, 8), ("process", 1, 4)):
        table = pos_embed.resample_abs_pos_embed(
            state[f"pos_embed_{branch}"], new_size=[side, side], num_prefix_tokens=1
        )
        assert torch.equal(model.get_parameter(f"embeds.{stream}.position"), table)
    larger = tiny(img_size=96)
    tables = {
        f"pos_embed_{branch}": model.get_parameter(f"embeds.{stream}.position").detach()
        for branch, stream in enumerate(("memory", "process"))
    }
    larger.load_state_dict({**state, **tables})
    images = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(model(images), larger(images), rtol=0, atol=1e-5)


def test_what_does_not_fit_is_named() -> None:
    model = document()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state: dict[str, Tensor] = tiny(embed_dim=(24, 48)).state_dict()
    del state["blocks.1.projs.0.2.weight"]
    state["blocks.0.fusion.1.norm2.weight"] = torch.zeros(3)
    with pytest.raises(WeightsError) as caught:
        archdsl.load_weights(model, state)
    message = str(caught.value)
    assert "missing: layers.1.write.head.there.2.weight\n" in message
    assert "surplus: blocks.0.fusion.1.norm2.weight\n" in message
    assert "embeds.process.embed.proj.weight (48, 3, 16, 16) instead of (36, 3, 16, 16)" in message
    assert "warm_start" not in message
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
