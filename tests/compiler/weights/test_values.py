"""Values that are no weights, and files that say more than they hold."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import archdsl
from archdsl.compiler.weights import positions, reading
from archdsl.errors import WeightsError
from archdsl.nn.network import Network
from tests.fixtures.vits import TABLE, compiled, table_of, vit

NAME, HERE = "blocks.0.attn.proj.bias", "layers.0.process.blocks.0.attn.proj.bias"
DOORS = pytest.mark.parametrize("door", [archdsl.load_weights, archdsl.warm_start])
Change = Callable[[Tensor], Tensor]


def refused(door: Any, model: Network, weights: Any) -> str:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        door(model, weights)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    return str(caught.value)


@DOORS
@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda tensor: tensor.to(torch.int8), "int8"),
        (lambda tensor: tensor > 0, "bool"),
        (lambda tensor: tensor.to(torch.complex64), "complex64"),
        (lambda tensor: tensor.to_sparse(), "float32, sparse_coo"),
        (lambda tensor: tensor.to("meta"), "no values: on the meta device"),
    ],
)
def test_only_floating_point_numbers_are_weights(door: Any, change: Change, kind: str) -> None:
    state = vit(64, 64)
    message = refused(door, compiled("64"), state | {NAME: change(state[NAME])})
    named = HERE if door is archdsl.load_weights else NAME
    assert f"not floating-point: {named} ({kind})" in message
    message = refused(door, compiled("64"), {name: change(each) for name, each in state.items()})
    assert "not floating-point: " in message


@DOORS
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_only_finite_numbers_are_weights(door: Any, value: float) -> None:
    state = vit(64, 64)
    state[NAME][3:5] = value
    state["pos_embed"][0, 1, 2] = value
    message = refused(door, compiled("64"), state)
    assert "  not finite: " in message
    assert f"{HERE} (2 of 48 values in float32)" in message
    assert f"{TABLE} (1 of 3120 values in float32)" in message


@DOORS
def test_what_is_finite_may_not_be_in_the_type_of_the_model(door: Any) -> None:
    state = vit(64, 64)
    state[NAME][0] = 1e6
    assert f"{HERE} (1 of 48 values in float16)" in refused(door, compiled("64").half(), state)
    door(compiled("64"), state)


@DOORS
@pytest.mark.parametrize("rows", [10**10, 10**6])
def test_one_row_for_any_number_of_positions(door: Any, rows: int, tmp_path: Path) -> None:
    state = vit(64, 64)
    state["pos_embed"] = torch.zeros(1, 1, 48).expand(1, rows, 48)
    path = tmp_path / "w.pth"
    torch.save(state, path)
    assert path.stat().st_size < 2**20
    started = time.monotonic()
    message = refused(door, compiled("64"), path)
    assert time.monotonic() - started < 5
    assert f"its {rows} rows are the same few again and again" in message


def test_prefix_tokens_of_any_number_are_not_joined() -> None:
    state = vit(64, 64)
    state["cls_token"] = torch.zeros(1, 1, 48).expand(1, 10**10, 48)
    assert "surplus: embeds.process.prefix[0]" in refused(
        archdsl.load_weights, compiled("64"), state
    )


@DOORS
def test_a_table_that_memory_has_no_room_for(door: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "free_memory", lambda: 10**4)
    message = refused(door, compiled("32"), vit(64, 64))
    assert "to resample its 65 rows takes 0.0 GB of memory, and 0.0 GB are free" in message


def test_a_file_that_unpacks_to_more_than_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = io.BytesIO()
    torch.save({"zeros": torch.zeros(10**6)}, content)
    path = tmp_path / "w.pth"
    with zipfile.ZipFile(content) as archive, zipfile.ZipFile(path, "w", 8) as packed:
        for entry in archive.namelist():
            packed.writestr(entry, archive.read(entry))
    assert path.stat().st_size < 10**5
    monkeypatch.setattr(reading, "free_memory", lambda: 10**6)
    message = refused(archdsl.load_weights, compiled("64"), path)
    assert message == f"{path} unpacks to 0.0 GB, and 0.0 GB of memory are free"


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "net.backbone."])
def test_what_stands_before_every_name_is_taken_off(prefix: str, tmp_path: Path) -> None:
    state = vit(64, 64)
    model, path = compiled("64"), tmp_path / "w.pth"
    torch.save({prefix + name: tensor for name, tensor in state.items()}, path)
    report = archdsl.load_weights(model, path)
    assert (report.prefix, report.layout) == (prefix, "timm")
    assert torch.equal(table_of(model), state["pos_embed"])
    started = archdsl.warm_start(compiled("64"), path)
    assert started.prefix == prefix
    assert str(started).endswith(f"\n'{prefix}' taken off every name")
    message = refused(archdsl.load_weights, compiled("32", "depth=1"), path)
    assert message.startswith(f"these weights (timm layout, '{prefix}' taken off every name) are")
    own = {prefix + name: tensor for name, tensor in model.state_dict().items()}
    assert archdsl.load_weights(compiled("64"), own).layout == "archdsl"


def test_models_that_torch_wraps() -> None:
    source, model = compiled("64", seed=1), compiled("64")
    averaged = torch.optim.swa_utils.AveragedModel(source)
    for wrapped in (averaged, torch.nn.DataParallel(source), torch.compile(source)):
        assert archdsl.load_weights(model, wrapped.state_dict()).prefix
        assert torch.equal(table_of(model), table_of(source))


def test_a_prefix_of_some_names_stays() -> None:
    state = vit(64, 64)
    state["module.norm.bias"] = state.pop("norm.bias")
    assert "surplus: module.norm.bias" in refused(archdsl.load_weights, compiled("64"), state)
    alone = {"layers.0.process.x": torch.zeros(1)}
    assert "surplus: layers.0.process.x" in refused(archdsl.load_weights, compiled("64"), alone)
    assert "surplus: a.b.c" in refused(
        archdsl.load_weights, compiled("64"), {"a.b.c": torch.zeros(1)}
    )
