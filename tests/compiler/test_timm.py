"""A document without memory is timm's ViT: equal weights give equal outputs."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from timm import create_model
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

import archdsl
from archdsl.compiler.build import build_without_weights
from archdsl.document.tree import tree_of
from archdsl.plan.read import check_model, read_model


def randomised(model: VisionTransformer) -> VisionTransformer:
    """Every parameter drawn at random: zeros and ones would hide mistakes."""
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return model.eval()


def document(*, pool: str) -> dict[str, object]:
    stream = {
        "embed": {"type": "patch", "patch_size": [8, 4]},
        "dim": 24,
        "block": {"type": "transformer", "num_heads": 3, "mlp_ratio": 2.5},
    }
    if pool == "cls":
        stream["prefix_tokens"] = ["cls"]
    return {
        "archdsl": 1,
        "name": "tiny",
        "image": {"size": [32, 16], "channels": 2},
        "depth": 3,
        "process": stream,
        "output": {"num_classes": 7, "pool": pool},
    }


@pytest.mark.parametrize(("pool", "timm_pool"), [("cls", "token"), ("mean", "avg")])
def test_tiny_vit_in_double_precision(pool: str, timm_pool: str) -> None:
    torch.manual_seed(0)
    reference = VisionTransformer(
        img_size=(32, 16),
        patch_size=(8, 4),
        in_chans=2,
        num_classes=7,
        global_pool=timm_pool,  # type: ignore[arg-type]
        class_token=pool == "cls",
        embed_dim=24,
        depth=3,
        num_heads=3,
        mlp_ratio=2.5,
    )
    reference = randomised(reference).double()
    model = archdsl.compile(check_model(tree_of(document(pool=pool), source="x")).spec).double()
    archdsl.load_weights(model, reference.state_dict())
    images = torch.randn(2, 2, 32, 16, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(images), reference(images), rtol=0, atol=1e-12)
        features = model.forward_features(images)["process"]
        torch.testing.assert_close(features, reference.forward_features(images), rtol=0, atol=1e-12)


def test_vit_b_16() -> None:
    torch.manual_seed(0)
    reference = cast(VisionTransformer, create_model("vit_base_patch16_224")).eval()
    torch.nn.init.normal_(cast(Tensor, reference.head.weight), std=0.02)
    model = build_without_weights(read_model("vit-b-16").plan).to_empty(device="cpu")
    archdsl.load_weights(model, reference.state_dict(), layout="timm")
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        logits = model.eval()(images)
        assert logits.abs().max() > 0.1
        torch.testing.assert_close(logits, reference(images), rtol=0, atol=1e-5)
