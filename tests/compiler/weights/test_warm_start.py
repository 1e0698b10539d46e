"""A trained ViT as the start of a model that has more than a ViT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from timm.layers import pos_embed
from timm.models.crossvit import CrossVit
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

import archdsl
from archdsl.compiler.weights.warm_start import WarmStart
from archdsl.errors import WeightsError
from archdsl.nn.network import Network
from archdsl.plan.read import read_model

VITTM = (
    "image={size: 32, channels: 3}",
    "depth=3",
    "process.dim=48",
    "process.block={type: transformer, num_heads: 3, head_dim: null, mlp_ratio: 2}",
    "process.embed.patch_size=8",
    "memory.embed.patch_size=4",
)


def vit(kind: type[VisionTransformer] = VisionTransformer, **changes: Any) -> VisionTransformer:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "img_size": 32,
        "patch_size": 8,
        "embed_dim": 48,
        "depth": 3,
        "num_heads": 3,
        "mlp_ratio": 2,
        "num_classes": 7,
    }
    made = kind(**(sizes | changes)).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return made


def compiled(*settings: str, name: str = "vittm-digits") -> Network:
    torch.manual_seed(1)
    return archdsl.compile(read_model(name, settings).spec).eval()


def started(model: Network, weights: Any) -> tuple[WarmStart, dict[str, Tensor]]:
    """What is reported and what is there, after making sure that the two agree."""
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    report = archdsl.warm_start(model, weights)
    after = model.state_dict()
    names = [name for name in after if not name.startswith("unused.")]
    assert sorted(report.loaded + report.resampled + report.fresh) == sorted(names)
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert changed == {*report.loaded, *report.resampled}
    return report, after


def refused(model: Network, weights: Any) -> str:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        archdsl.warm_start(model, weights)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    return str(caught.value)


def on_grid(table: Tensor, side: int) -> Tensor:
    """timm's table with a class token, on another grid without one."""
    resampled: Tensor = pos_embed.resample_abs_pos_embed(table[:, 1:], [side, side], None, 0)
    return resampled


def test_blocks_and_norm_and_the_embedding_of_the_stream_whose_patches_agree() -> None:
    state = vit().state_dict()
    report, after = started(compiled(*VITTM), state)
    for name, tensor in state.items():
        if name.startswith("blocks."):
            _, number, rest = name.split(".", 2)
            assert torch.equal(after[f"layers.{number}.process.blocks.0.{rest}"], tensor)
    kernel = state["patch_embed.proj.weight"]
    assert torch.equal(after["embeds.process.embed.proj.weight"], kernel.flatten(1))
    assert torch.equal(after["embeds.process.embed.proj.bias"], state["patch_embed.proj.bias"])
    assert torch.equal(after["classifiers.process.norm.weight"], state["norm.weight"])
    assert torch.equal(after["classifiers.process.norm.bias"], state["norm.bias"])
    assert torch.equal(after["embeds.process.position"], state["pos_embed"][:, 1:])
    assert torch.equal(after["embeds.memory.position"], on_grid(state["pos_embed"], 8))
    assert report.resampled == ("embeds.memory.position",)
    assert "embeds.process.position" in report.loaded
    fresh = {name.rpartition(".")[0] for name in report.fresh}
    assert {"embeds.memory.embed.proj", "layers.2.write.head.v"} < fresh
    assert {"classifiers.process.linear", "classifiers.process.pooled_norm"} < fresh
    assert not [name for name in report.loaded if "memory" in name or "linear" in name]


@pytest.mark.parametrize("patch", [4, 8, 16])
def test_patches_of_both_streams_may_agree_or_none(patch: int) -> None:
    state = vit(patch_size=patch, class_token=False, global_pool="avg").state_dict()
    report, after = started(compiled(*VITTM, "memory.embed.patch_size=8"), state)
    agrees = patch == 8
    for stream in ("process", "memory"):
        assert (f"embeds.{stream}.embed.proj.weight" in report.loaded) == agrees
        assert (f"embeds.{stream}.embed.proj.bias" in report.loaded) == agrees
        assert (f"embeds.{stream}.position" in report.resampled) == (not agrees)
        table = pos_embed.resample_abs_pos_embed(state["pos_embed"], [4, 4], None, 0)
        assert torch.equal(after[f"embeds.{stream}.position"], table)
    # This ViT normalises its pooled token.
    pooled = after["classifiers.process.pooled_norm.weight"]
    assert torch.equal(pooled, state["fc_norm.weight"])
    assert "classifiers.process.norm.weight" in report.fresh


def test_a_memory_of_another_width_stays_fresh() -> None:
    separate = ("memory.dim=24", "exchange.norm.shared=false", "memory.embed.patch_size=8")
    report, _ = started(compiled(*VITTM, *separate), vit().state_dict())
    assert "embeds.process.embed.proj.weight" in report.loaded
    assert not [name for name in report.loaded + report.resampled if "embeds.memory" in name]


def test_streams_without_a_table_or_patches() -> None:
    learned = ("process.embed={type: learned, num_tokens: 9, patch_size: null}",)
    report, _ = started(compiled(*VITTM, *learned), vit().state_dict())
    assert "embeds.process.embed.table" in report.fresh
    assert report.resampled == ("embeds.memory.position",)
    smaller = "process.embed={type: downsample, grid: 3, method: average, patch_size: null}"
    report, after = started(compiled(*VITTM, smaller), vit(patch_size=4).state_dict())
    assert "embeds.memory.embed.proj.weight" in report.loaded
    assert report.resampled == ("embeds.process.position",)
    assert after["embeds.process.position"].shape == (1, 9, 48)


@pytest.mark.parametrize("kind", [VisionTransformer, VisionTransformerDistilled])
def test_prefix_tokens_of_the_same_names(kind: type[VisionTransformer]) -> None:
    state = vit(kind).state_dict()
    settings = ("process.prefix_tokens=[cls]", "output.pool={process: cls}")
    model = compiled(*VITTM, *settings)
    own = model.get_parameter("embeds.process.position")[:, :1].detach().clone()
    report, after = started(model, state)
    table, same = state["pos_embed"], kind is VisionTransformer
    assert ("embeds.process.prefix" in report.loaded) == same
    first = table[:, :1] if same else own
    patches = table[:, 1:] if same else table[:, 2:]
    assert torch.equal(after["embeds.process.position"], torch.cat([first, patches], dim=1))
    if same:
        assert torch.equal(after["embeds.process.prefix"], state["cls_token"])


@pytest.mark.parametrize("image", [32, 48])
@pytest.mark.parametrize(
    ("name", "kind", "changes"),
    [
        ("vit-b-16", VisionTransformer, {}),
        ("vit-b-16", VisionTransformer, {"no_embed_class": True}),
        ("deit-b-16-distilled", VisionTransformerDistilled, {}),
    ],
)
def test_a_plain_vit_is_timms_up_to_the_classifier(
    name: str, kind: type[VisionTransformer], changes: dict[str, Any], image: int
) -> None:
    reference = vit(kind, **changes)
    words = [word for word in VITTM if "memory" not in word]
    model = compiled(*words, f"image.size={image}", "output.num_classes=7", name=name).double()
    report, after = started(model, reference.state_dict())
    assert {name.rpartition(".")[0].rpartition(".")[2] for name in report.fresh} == {"linear"}
    assert {tensor.dtype for tensor in after.values()} == {torch.float64}
    if image != 32:
        reference.set_input_size(img_size=(image, image))
    images = torch.randn(2, 3, image, image)
    with torch.no_grad():
        found = model.forward_features(images.double())["process"]
        expected = reference.double().forward_features(images.double())
        # timm has kept the resampled table in float32.
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-10 if image == 32 else 1e-5)


def test_several_blocks_in_a_layer_follow_each_other() -> None:
    state = vit(depth=6).state_dict()
    report, after = started(compiled(*VITTM, "process.blocks=2"), state)
    name = "layers.2.process.blocks.1.mlp.fc1.weight"
    assert name in report.loaded
    assert torch.equal(after[name], state["blocks.5.mlp.fc1.weight"])


def test_from_a_file_into_the_published_layout(tmp_path: Path) -> None:
    model = compiled(*VITTM, "published_layout=true")
    path = tmp_path / "vit.safetensors"
    save_file(vit().state_dict(), path)
    report, _ = started(model, path)
    assert not [name for name in report.fresh if name.startswith("unused.")]
    lines = str(report).splitlines()
    assert lines[0] == f"{len(report.loaded)} loaded"
    assert lines[1] == "1 resampled: embeds.memory.position"
    assert lines[2].startswith(f"{len(report.fresh)} fresh: embeds.memory.embed.proj.weight, ")
    assert lines[2].endswith(f", and {len(report.fresh) - 12} more")


def test_other_widths_and_depths_are_refused() -> None:
    model = compiled(*VITTM)
    assert refused(model, vit(embed_dim=24).state_dict()) == (
        "nothing of these weights fits: they are 24 wide, the process stream 48"
    )
    for depth in (2, 4):
        assert refused(model, vit(depth=depth).state_dict()) == (
            f"these weights have {depth} blocks, the process stream 3; a warm start needs as many"
        )


def test_blocks_of_another_kind_are_refused() -> None:
    message = refused(compiled(*VITTM), vit(mlp_ratio=4).state_dict())
    assert message.startswith("these weights do not fit the process stream:\n  of another shape: ")
    assert "layers.0.process.blocks.0.mlp.fc1.weight (192, 48) instead of (96, 48)" in message
    message = refused(compiled(*VITTM), vit(init_values=1e-5).state_dict())
    assert "surplus: layers.0.process.blocks.0.ls1.gamma, " in message
    message = refused(compiled(*VITTM, "process.block.layer_scale=1e-6"), vit().state_dict())
    assert "missing: layers.0.process.blocks.0.ls1.gamma, " in message
    assert "weights: shared" in refused(
        compiled(*VITTM, "process.block.weights=shared"), vit().state_dict()
    )


def test_what_is_no_plain_vit_is_refused() -> None:
    model = compiled(*VITTM)
    start = "these are not the weights of a plain ViT in timm's layout: "
    ours = refused(model, compiled(*VITTM).state_dict())
    assert ours.startswith(f"{start}missing: patch_embed.proj.weight, patch_embed.proj.bias")
    assert ours.endswith("archdsl.load_weights takes those of the model's own architecture")
    crossvit = CrossVit(img_size=48, patch_size=(12, 16), embed_dim=(24, 48), num_heads=(3, 3))
    assert refused(model, crossvit.state_dict()).startswith(f"{start}missing: ")
    state = vit().state_dict()
    for name in ("reg_token", "memory_pos_embed", "blocks.0.attn.q.weight"):
        strange = {**state, name: torch.zeros(1, 4, 48)}
        text = f"surplus: {name}" if name != "blocks.0.attn.q.weight" else "surplus: layers.0."
        assert text in refused(model, strange)
    for name in ("pos_embed", "cls_token"):
        for shape in ((), (48,), (17, 48), (1, 17, 48, 2), (2, 17, 48)):
            message = refused(model, {**state, name: torch.zeros(shape)})
            assert message.startswith(f"{start}of another shape: {name}")
    assert "holds no state dict" in refused(model, {"model": 3})
