"""Published weights into compiled models: every tensor or none; no file is ever executed."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from timm.layers import pos_embed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

import archdsl
from archdsl.errors import WeightsError
from archdsl.nn.network import Network
from archdsl.plan.read import read_model

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
