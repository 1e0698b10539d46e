"""A document without memory is timm's ViT or DeiT: equal weights give equal outputs."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from timm import create_model
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

import archdsl
from archdsl.compiler.build import build_without_weights
from archdsl.document.tree import tree_of
from archdsl.nn.network import Network
from archdsl.plan.read import check_model, read_model

DISTILLED: type[VisionTransformer] = VisionTransformerDistilled
SIZES: dict[str, Any] = {
    "img_size": (32, 16),
    "patch_size": (8, 4),
    "in_chans": 2,
    "num_classes": 7,
    "embed_dim": 24,
    "depth": 3,
    "num_heads": 3,
    "mlp_ratio": 2.5,
}


def randomised(model: VisionTransformer) -> VisionTransformer:
    """Every parameter drawn at random: zeros and ones would hide mistakes."""
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return model.eval()


def compiled(pool: str, prefix_tokens: list[str], layer_scale: float | None = None) -> Network:
    block = {"type": "transformer", "num_heads": 3, "mlp_ratio": 2.5}
    stream = {
        "embed": {"type": "patch", "patch_size": [8, 4]},
        "dim": 24,
        "block": block | ({"layer_scale": layer_scale} if layer_scale else {}),
        "prefix_tokens": prefix_tokens,
    }
    document = {
        "archdsl": 1,
        "name": "tiny",
        "image": {"size": [32, 16], "channels": 2},
        "depth": 3,
        "process": stream,
        "output": {"num_classes": 7, "pool": pool},
    }
    return archdsl.compile(check_model(tree_of(document, source="x")).spec).eval()


def agree(model: Network, reference: VisionTransformer) -> None:
    model, reference = model.double(), randomised(reference).double()
    archdsl.load_weights(model, reference.state_dict())
    images = torch.randn(2, 2, 32, 16, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(model(images), reference(images), rtol=0, atol=1e-12)
        features = model.forward_features(images)["process"]
        torch.testing.assert_close(features, reference.forward_features(images), rtol=0, atol=1e-12)


@pytest.mark.parametrize("layer_scale", [None, 1e-5])
@pytest.mark.parametrize(("pool", "timm_pool"), [("cls", "token"), ("mean", "avg")])
def test_tiny_vit_in_double_precision(pool: str, timm_pool: Any, layer_scale: float | None) -> None:
    torch.manual_seed(0)
    reference = VisionTransformer(
        **SIZES, global_pool=timm_pool, class_token=pool == "cls", init_values=layer_scale
    )
    agree(compiled(pool, ["cls"] if pool == "cls" else [], layer_scale), reference)


def test_positions_added_before_the_class_token_joins() -> None:
    """DeiT III's tables have no row for the class token."""
    torch.manual_seed(0)
    reference = VisionTransformer(**SIZES, no_embed_class=True, init_values=1e-6)
    agree(compiled("cls", ["cls"], 1e-6), reference)


def test_tiny_distilled_deit_in_double_precision() -> None:
    torch.manual_seed(0)
    reference = DISTILLED(**SIZES)
    model = compiled("cls", ["cls", "distillation"])
    agree(model, reference)
    images = torch.randn(2, 2, 32, 16, dtype=torch.float64)
    with torch.no_grad():
        logits, tokens = model.forward_heads(images), reference.forward_features(images)
        expected = {"process": reference.head(tokens[:, 0])}
        expected["distillation"] = cast(nn.Linear, reference.get_submodule("head_dist"))(
            tokens[:, 1]
        )
    assert list(logits) == list(expected)
    for name, found in logits.items():
        torch.testing.assert_close(found, expected[name], rtol=0, atol=1e-12)
    apart = logits["process"] - logits["distillation"]
    assert apart.abs().max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "timm_name", "settings"),
    [
        ("vit-b-16", "vit_base_patch16_224", ()),
        ("deit-b-16", "deit_base_patch16_224", ()),
        ("deit-b-16-distilled", "deit_base_distilled_patch16_224", ()),
        ("vit-b-16", "deit3_base_patch16_224", ("process.block.layer_scale=1e-6",)),
    ],
)
def test_published_sizes(name: str, timm_name: str, settings: tuple[str, ...]) -> None:
    torch.manual_seed(0)
    with torch.device("meta"):
        made = create_model(timm_name, pretrained=False)
    reference = cast(VisionTransformer, made.to_empty(device="cpu")).eval()
    for each, parameter in reference.named_parameters():
        around = float("norm" in each) + 0.2 * ("gamma" in each)
        torch.nn.init.normal_(parameter, mean=around, std=0.03)
    model = build_without_weights(read_model(name, settings).plan).to_empty(device="cpu")
    archdsl.load_weights(model, reference.state_dict(), layout="timm")
    images: Tensor = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        logits = model.eval()(images)
        assert logits.std() > 0.3
        torch.testing.assert_close(logits, reference(images), rtol=0, atol=1e-5)
