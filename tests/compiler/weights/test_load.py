"""Published weights into compiled models: every tensor or none; no file is ever executed."""

from __future__ import annotations

import pickle
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from timm.layers import pos_embed
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

import archdsl
from archdsl.errors import WeightsError
from archdsl.nn.network import Network
from archdsl.plan.read import read_model

DISTILLED: type[VisionTransformer] = VisionTransformerDistilled
GATED = (
    "exchange.read={type: latent_attention, fusion: add_erase}",
    "exchange.write={type: token_summary, fusion: {type: add_erase, gate: per_layer}}",
)
VIT = ("image={size: 32, channels: 3}", "process={embed: {patch_size: 8}, dim: 48}", "depth=2",
       "process.block={num_heads: 3, head_dim: null}", "output.num_classes=7")  # fmt: skip


def compiled(name: str, *settings: str, seed: int = 0) -> Network:
    """A model each of whose parameters is drawn at random."""
    torch.manual_seed(seed)
    model = archdsl.compile(read_model(name, settings).spec).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return model


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def copied(model: Network) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def refused(model: Network, weights: Any, **options: Any) -> str:
    """The message, after making sure that nothing of the model has changed."""
    before = copied(model)
    with pytest.raises(WeightsError) as caught:
        archdsl.load_weights(model, weights, **options)
    assert equal(model.state_dict(), before)
    return str(caught.value)


@pytest.mark.parametrize("settings", [(), GATED, ("published_layout=true",)])
def test_our_own_layout_through_safetensors(settings: tuple[str, ...], tmp_path: Path) -> None:
    source, target = (compiled("vittm-digits", *settings, seed=seed) for seed in (0, 1))
    path = tmp_path / "weights.safetensors"
    save_file(source.state_dict(), path)
    assert not equal(target.state_dict(), source.state_dict())
    archdsl.load_weights(target, path)
    assert equal(target.state_dict(), source.state_dict())
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(target(images), source(images))


@pytest.mark.parametrize("wrapper", [None, "model", "state_dict"])
@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files_bare_or_wrapped(wrapper: str | None, zipped: bool, tmp_path: Path) -> None:
    source, target = (compiled("vittm-digits", seed=seed) for seed in (0, 1))
    state = source.state_dict()
    path = tmp_path / "weights.pth"
    content = {wrapper: state, "epoch": 3} if wrapper else state
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    archdsl.load_weights(target, str(path), layout="archdsl")
    assert equal(target.state_dict(), source.state_dict())


def test_shared_gates_stay_shared() -> None:
    source, target = (compiled("vittm-digits", GATED[0], seed=seed) for seed in (0, 1))
    gates = [name for name in source.state_dict() if "gate" in name]
    assert gates == ["shared.read_fusion.gate.weight", "shared.read_fusion.gate.bias"]
    archdsl.load_weights(target, source.state_dict())
    torch.testing.assert_close(target(torch.ones(1, 1, 8, 8)), source(torch.ones(1, 1, 8, 8)))


@pytest.mark.parametrize("pool", ["cls", "mean"])
@pytest.mark.parametrize("size", [(48, 48), (64, 32)])
def test_position_tables_of_another_grid_are_resampled_as_timm_does(
    pool: str, size: tuple[int, int]
) -> None:
    prefix = int(pool == "cls")
    torch.manual_seed(0)
    reference = VisionTransformer(
        img_size=32,
        patch_size=8,
        num_classes=7,
        global_pool="token" if prefix else "avg",
        class_token=bool(prefix),
        embed_dim=48,
        depth=2,
        num_heads=3,
    ).eval()
    for parameter in reference.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    tokens = f"process.prefix_tokens={'[cls]' if prefix else '[]'}"
    words = (*VIT, f"image.size={list(size)}", f"output.pool={pool}", tokens)
    model = compiled("vit-b-16", *words, seed=1)
    archdsl.load_weights(model, reference.state_dict())
    grid = [size[0] // 8, size[1] // 8]
    table = pos_embed.resample_abs_pos_embed(
        reference.state_dict()["pos_embed"], new_size=grid, num_prefix_tokens=prefix
    )
    assert torch.equal(model.get_parameter("embeds.process.position"), table)
    reference.set_input_size(img_size=size)
    images = torch.randn(1, 3, *size)
    with torch.no_grad():
        torch.testing.assert_close(model(images), reference(images), rtol=0, atol=1e-5)


def test_a_table_that_is_no_square_is_not_resampled() -> None:
    model = compiled("vittm-digits")
    state = copied(model)
    state["embeds.memory.position"] = torch.zeros(1, 15, 64)
    message = refused(model, state)
    assert "of another shape: embeds.memory.position (1, 15, 64) instead of (1, 16, 64)" in message


@pytest.mark.parametrize("shape", [(), (64,), (16, 64), (2, 16, 64), (1, 0, 64), (1, 16, 32)])
def test_what_is_no_position_table_is_misshapen(shape: tuple[int, ...]) -> None:
    model = compiled("vittm-digits")
    state = copied(model)
    state["embeds.memory.position"] = torch.zeros(shape)
    assert f"embeds.memory.position {shape} instead of (1, 16, 64)" in refused(model, state)


SUMMARY = ("exchange.write={type: token_summary, fusion: add_erase}", "exchange.read.fusion=add")


def test_words_that_hold_a_number_of_tokens_are_told_from_another_architecture() -> None:
    model = compiled("vittm-digits", *SUMMARY, "memory.embed.patch_size=4")
    message = refused(model, copied(compiled("vittm-digits", *SUMMARY)))
    assert "shared.write_fusion.gate.weight (16, 64) instead of (4, 64)" in message
    assert sorted(message.splitlines()[-2:]) == [
        f"  write: {word} holds the number of tokens in its weights: these weights are for another "
        "resolution (16 tokens, not 4)"
        for word in ("add_erase", "token_summary")
    ]
    wider = copied(compiled("vittm-digits", *SUMMARY, "process.dim=128"))
    assert "resolution" not in refused(compiled("vittm-digits", *SUMMARY), wider)


def test_only_the_layers_that_hold_a_number_of_tokens_are_told() -> None:
    last = "layers=[{at: [-1], exchange: {read: {type: token_summary}}}]"
    model = compiled("vittm-digits", last)
    state = copied(model)
    number = max(int(name.split(".")[1]) for name in state if name.startswith("layers."))
    state[f"layers.{number}.read.head.fc2.bias"] = torch.zeros(9)
    message = refused(model, state)
    assert "read: token_summary holds the number of tokens" in message
    state = copied(model)
    state["layers.0.read.head.q.bias"] = torch.zeros(9)
    assert "number of tokens" not in refused(model, state)


def test_patches_of_equal_area_and_another_shape_are_told_apart() -> None:
    reference = VisionTransformer(
        img_size=32, patch_size=(4, 16), embed_dim=48, depth=2, num_heads=3, num_classes=7
    )
    model = compiled("vit-b-16", *VIT, "process.embed.patch_size=[16, 4]")
    name = "embeds.process.embed.proj.weight"
    message = refused(model, reference.state_dict())
    assert f"of another shape: {name} (48, 3, 4, 16) instead of (48, 3, 16, 4)" in message


def test_prefix_tokens_that_do_not_fit() -> None:
    reference = DISTILLED(
        img_size=32, patch_size=8, embed_dim=48, depth=2, num_heads=3, num_classes=7
    )
    state = reference.state_dict()
    message = refused(compiled("vit-b-16", *VIT), state)
    assert "embeds.process.prefix (1, 2, 48) instead of (1, 1, 48)" in message
    assert "surplus: classifiers.distillation.linear.weight" in message
    model = compiled("deit-b-16-distilled", *VIT)
    for changed in (None, torch.zeros(1, 1, 9), torch.zeros(7)):
        broken = {name: tensor for name, tensor in state.items() if name != "cls_token"}
        message = refused(model, broken if changed is None else {**broken, "cls_token": changed})
        assert "missing: embeds.process.prefix\n" in message
        assert "embeds.process.prefix[1]" in message
    flat = {**state, "cls_token": torch.zeros(48), "dist_token": torch.zeros(48)}
    assert "surplus: embeds.process.prefix[0], embeds.process.prefix[1]" in refused(model, flat)


def test_two_tensors_for_one_place() -> None:
    model = compiled("vit-b-16", *VIT)
    reference = VisionTransformer(
        img_size=32, patch_size=8, embed_dim=48, depth=2, num_heads=3, num_classes=7
    )
    state = {**reference.state_dict(), "embeds.process.position": torch.zeros(1, 17, 48)}
    assert refused(model, state, layout="timm") == (
        "pos_embed and embeds.process.position of these weights (timm layout) are both "
        "embeds.process.position"
    )


@pytest.mark.parametrize("kept", [torch.float64, torch.float32])
@pytest.mark.parametrize("own", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_values_take_the_type_of_the_model(own: torch.dtype, kept: torch.dtype) -> None:
    state = {
        name: tensor.to(kept) + 1 / 3 for name, tensor in copied(compiled("vittm-digits")).items()
    }
    model = compiled("vittm-digits", seed=1).to(own)
    archdsl.load_weights(model, state)
    expected = {name: tensor.to(own) for name, tensor in state.items()}
    assert {tensor.dtype for tensor in model.state_dict().values()} == {own}
    assert equal(copied(model), expected)


def test_values_go_to_the_device_of_the_model(tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("there is no second device")
    source, target = compiled("vittm-digits"), compiled("vittm-digits", seed=1).cuda().half()
    path = tmp_path / "weights.pth"
    torch.save(source.state_dict(), path)
    archdsl.load_weights(target, path)
    assert all(tensor.is_cuda for tensor in target.state_dict().values())
    assert equal(copied(target.cpu()), {k: v.half() for k, v in source.state_dict().items()})


def test_missing_surplus_and_misshapen_tensors_are_named_together() -> None:
    model = compiled("vittm-digits")
    state = {name: tensor + 1 for name, tensor in copied(model).items()}
    del state["layers.0.read.head.q.weight"], state["classifiers.memory.linear.bias"]
    state["layers.9.read.head.q.weight"] = torch.zeros(1)
    state["classifiers.process.linear.bias"] = torch.zeros(7)
    assert refused(model, state).splitlines() == [
        "these weights (archdsl layout) are not of this architecture:",
        "  missing: layers.0.read.head.q.weight, classifiers.memory.linear.bias",
        "  surplus: layers.9.read.head.q.weight",
        "  of another shape: classifiers.process.linear.bias (7,) instead of (10,)",
    ]


def test_a_long_list_of_names_is_cut() -> None:
    model = compiled("vittm-digits")
    message = refused(model, {})
    assert message.endswith(f", and {len(model.state_dict()) - 12} more")


def test_a_vit_is_no_vittm() -> None:
    reference = VisionTransformer(img_size=8, patch_size=4, embed_dim=64, num_heads=4, depth=4)
    message = refused(compiled("vittm-digits"), reference.state_dict())
    assert message.startswith("these weights (timm layout) are not of this architecture:")
    assert "embeds.memory.position" in message
    assert message.endswith("archdsl.warm_start takes what fits of a ViT")


def test_an_unknown_layout() -> None:
    message = refused(compiled("vittm-digits"), {}, layout="tim")
    assert message == (
        "layout 'tim' is not one of: auto, archdsl, timm, vittm; did you mean 'timm'?"
    )


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    model = compiled("vittm-digits")
    for path in (tmp_path / "no.pth", tmp_path / "no.safetensors"):
        assert refused(model, path) == f"cannot read {path}: No such file or directory"
    assert refused(model, tmp_path) == f"cannot read {tmp_path}: Is a directory"


@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
def test_truncated_files(kind: str, tmp_path: Path) -> None:
    model = compiled("vittm-digits")
    path = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pth")
    if kind == "safetensors":
        save_file(model.state_dict(), path)
    else:
        torch.save(model.state_dict(), path, _use_new_zipfile_serialization=kind == "zip")
    whole = path.read_bytes()
    for length in (0, 1, 7, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert f"{path} is damaged or no file of weights" in refused(model, path), length


@pytest.mark.parametrize(
    "content", [b"hello world\n", b"depth: 3\n", b"{}", b"\x80\x02]", b"\0" * 99]
)
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_files_of_something_else(content: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    assert f"{path} is damaged or no file of weights" in refused(compiled("vittm-digits"), path)


def test_a_checkpoint_of_a_training_script(tmp_path: Path) -> None:
    trained, network = compiled("vittm-digits"), compiled("vittm-digits")
    plain, average = trained.state_dict(), {k: v + 1 for k, v in trained.state_dict().items()}
    path = tmp_path / "best.pth.tar"
    for held in ({"model": average}, {"state_dict": plain, "state_dict_ema": average}):
        torch.save({**held, "epoch": 3, "args": Namespace(lr=0.1, model="vit")}, path)
        archdsl.load_weights(network, path)
        found = network.state_dict()
        assert all(torch.equal(found[name], value) for name, value in average.items())


class _Runs:
    """Unpickled, it makes the file it is told."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("by_torch", [True, False])
def test_code_in_a_pickle_is_never_executed(protocol: int, by_torch: bool, tmp_path: Path) -> None:
    path, made = tmp_path / "w.pth", tmp_path / "made"
    content = {"weight": _Runs(made)}
    if by_torch:
        torch.save(content, path, pickle_protocol=protocol)
    else:
        path.write_bytes(pickle.dumps(content, protocol=protocol))
    message = refused(compiled("vittm-digits"), path)
    assert not made.exists()
    if by_torch and protocol == 2:  # torch reads no other protocol far enough to tell
        assert "holds more than tensors and is not read" in message
    pickle.loads(pickle.dumps(content))
    assert made.exists(), "the file would have done something"


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 1}, {1: torch.ones(1)}, 3])
def test_a_file_without_a_state_dict(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save(content, path)
    message = refused(compiled("vittm-digits"), path)
    assert message == f"{path} holds no state dict (a mapping of names to tensors)"
    if isinstance(content, dict):
        message = refused(compiled("vittm-digits"), content)
        assert message == "what was given holds no state dict (a mapping of names to tensors)"
