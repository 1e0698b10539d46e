"""A document without memory is timm's ViT: equal weights give equal outputs."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from timm import create_model
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

import archdsl
from archdsl.document.tree import tree_of
from archdsl.nn.network import Network
from archdsl.plan.read import check_model, read_model


def translated(timm_state: dict[str, Tensor], *, pool: str) -> dict[str, Tensor]:
    """timm's names and shapes to ours."""
    norm = "classifiers.process." + ("norm." if pool == "cls" else "pooled_norm.")
    prefixes = {
        "patch_embed.proj.": "embeds.process.embed.proj.",
        "norm.": norm,
        "fc_norm.": norm,
        "head.": "classifiers.process.linear.",
    }
    state = {}
    for name, tensor in timm_state.items():
        if name in ("cls_token", "pos_embed"):
            state["embeds.process." + ("prefix" if name == "cls_token" else "position")] = tensor
            continue
        if name.startswith("blocks."):
            _, layer, rest = name.split(".", 2)
            state[f"layers.{layer}.process.blocks.0.{rest}"] = tensor
            continue
        [new] = [name.replace(old, new, 1) for old, new in prefixes.items() if name.startswith(old)]
        state[new] = tensor.flatten(1) if "embed.proj.weight" in new else tensor
    return state


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
    model.load_state_dict(translated(reference.state_dict(), pool=pool))
    images = torch.randn(2, 2, 32, 16, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(images), reference(images), rtol=0, atol=1e-12)
        features = model.forward_features(images)["process"]
        torch.testing.assert_close(features, reference.forward_features(images), rtol=0, atol=1e-12)


def test_vit_b_16() -> None:
    torch.manual_seed(0)
    reference = cast(VisionTransformer, create_model("vit_base_patch16_224")).eval()
    torch.nn.init.normal_(cast(Tensor, reference.head.weight), std=0.02)
    with torch.device("meta"):
        model: Network = archdsl.compile(read_model("vit-b-16").spec)
    model.load_state_dict(translated(reference.state_dict(), pool="cls"), assign=True)
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        logits = model.eval()(images)
        assert logits.abs().max() > 0.1
        torch.testing.assert_close(logits, reference(images), rtol=0, atol=1e-5)
