"""Position tables and the grids that they are for: stored by our files, said by whoever loads the
files of others, refused where it may be one or another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from timm.layers import pos_embed
from torch import Tensor

import archdsl
from archdsl.compiler.files import write_compiled
from archdsl.errors import WeightsError
from archdsl.nn.network import Network
from archdsl.plan.read import read_model
from archdsl.storage.folder import Folder
from archdsl.training.checkpoint import WEIGHTS, Checkpoints, Progress
from archdsl.training.data.dataset import Normalisation
from archdsl.training.data.reading import Reading
from tests.fixtures.vits import TABLE, VIT, compiled, table_of, vit

NOT_KNOWN = f"  {TABLE}: its 65 rows may be of 8x8, 4x16 or another grid of patches; "


def resampled(table: Tensor, source: list[int], target: list[int], prefix: int = 1) -> Tensor:
    found: Tensor = pos_embed.resample_abs_pos_embed(table, target, source, prefix)
    return found


def refused(call: Any, model: Network, *arguments: Any, **options: Any) -> str:
    before = table_of(model)
    with pytest.raises(WeightsError) as caught:
        call(model, *arguments, **options)
    assert torch.equal(table_of(model), before)
    return str(caught.value)


def test_as_many_rows_on_another_grid_are_refused_until_it_is_said_which() -> None:
    state = vit(64, 64)
    model = compiled("[32, 128]")
    message = refused(archdsl.load_weights, model, state)
    assert message.splitlines()[1:] == [NOT_KNOWN + "say which: grid=(8, 8) or grid=(4, 16)"]
    report = archdsl.load_weights(model, state, grid=(8, 8))
    assert torch.equal(table_of(model), resampled(state["pos_embed"], [8, 8], [4, 16]))
    assert (report.layout, report.prefix, report.resampled) == ("timm", "", (TABLE,))
    report = archdsl.load_weights(model, state, grid={"process": (4, 16)})
    assert torch.equal(table_of(model), state["pos_embed"])
    assert report.resampled == ()


def test_a_transposed_image_is_another_grid() -> None:
    state = vit(32, 64)
    model = compiled("[64, 32]")
    message = refused(archdsl.load_weights, model, state)
    assert "its 33 rows may be of 8x4 or another grid of patches; say which: grid=(8, 4)" in message
    archdsl.load_weights(model, state, grid=(4, 8))
    assert torch.equal(table_of(model), resampled(state["pos_embed"], [4, 8], [8, 4]))


def test_no_square_table_for_a_square_document() -> None:
    state = vit(32, 64)
    model = compiled("64")
    message = refused(archdsl.load_weights, model, state)
    assert f"  {TABLE}: its 33 rows are of no square grid of patches; say which by the" in message
    archdsl.load_weights(model, state, grid=(4, 8))
    assert torch.equal(table_of(model), resampled(state["pos_embed"], [4, 8], [8, 8]))


def test_positions_that_are_added_before_the_class_token() -> None:
    state = vit(64, 64, no_embed_class=True)
    model = compiled("[32, 128]")
    assert "its 64 rows may be of 8x8, 4x16" in refused(archdsl.load_weights, model, state)
    archdsl.load_weights(model, state, grid=(8, 8))
    table = resampled(state["pos_embed"], [8, 8], [4, 16], prefix=0)
    assert torch.equal(table_of(model)[:, 1:], table)
    assert table_of(model)[:, :1].abs().max() == 0


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ((4, 4), f"  {TABLE}: its 65 rows are not those of a grid of 4x4 patches"),
        ((4, 0), "grid is (4, 0); it is (rows, columns) of patches, two whole numbers above 0, or"),
        (8, "grid is 8; it is (rows, columns)"),
        ({"memory": (8, 8)}, "or a mapping of streams (process) to such"),
        ({"process": "8x8"}, "grid is {'process': '8x8'}; it is"),
    ],
)
def test_a_grid_that_cannot_be(grid: Any, said: str) -> None:
    assert said in refused(archdsl.load_weights, compiled("64"), vit(64, 64), grid=grid)


def test_our_files_say_their_grid(tmp_path: Path) -> None:
    checked = read_model("vit-b-16", ("image={size: [32, 128], channels: 3}", *VIT))
    path = write_compiled(checked.spec, checked.plan, tmp_path, seed=1)[2]
    source = compiled("[32, 128]", seed=1)
    model = compiled("[32, 128]")
    archdsl.load_weights(model, path)
    assert torch.equal(table_of(model), table_of(source))
    for size, grid in (("64", [8, 8]), ("[128, 32]", [16, 4]), ("[16, 256]", [2, 32])):
        model = compiled(size)
        assert archdsl.load_weights(model, path).resampled == (TABLE,)
        assert torch.equal(table_of(model), resampled(table_of(source), [4, 16], grid))
    message = refused(archdsl.load_weights, model, path, grid=(8, 8))
    assert f"{TABLE}: of 4x16 patches, as its file says; leave `grid` out" in message


READING = Reading(
    class_names=("one", "two"),
    channels=3,
    image_size=(32, 128),
    depth=16,
    normalisation=Normalisation(mean=(1.0, 2.0, 3.0), std=(4.0, 5.0, 6.0)),
)


def test_what_a_training_ends_with_says_its_grid(tmp_path: Path) -> None:
    source, model = compiled("[32, 128]", seed=1), compiled("64")
    checkpoints = Checkpoints(Folder(tmp_path), keys=["a"])
    checkpoints.finish(Progress(key="a"), source, reading=READING)
    archdsl.load_weights(model, tmp_path / WEIGHTS)
    assert torch.equal(table_of(model), resampled(table_of(source), [4, 16], [8, 8]))
    finished = compiled("[32, 128]")
    assert checkpoints.restore(finished, lambda state: None) == Progress(key="a")
    assert torch.equal(table_of(finished), table_of(source))


def test_files_of_before_are_known_by_their_architecture(tmp_path: Path) -> None:
    source, model = compiled("[32, 128]", seed=1), compiled("[32, 128]")
    path = tmp_path / "weights.safetensors"
    told = f'{{"arch_id": "{source.plan.arch_id}", "seed": 1}}'
    for text in (told, "broken", "[]", '{"grids": 3}', '{"grids": {"process": [4, "a"]}}'):
        save_file(source.state_dict(), path, metadata={"archdsl": text})
        if text == told:
            archdsl.load_weights(model, path)
            assert torch.equal(table_of(model), table_of(source))
        else:
            assert NOT_KNOWN in refused(archdsl.load_weights, model, path)


BLOCK = "process.block={type: transformer, num_heads: 3, head_dim: null, mlp_ratio: 4}"
VITTM = ("process.embed.patch_size=8", "memory.embed.patch_size=4", "process.dim=48", BLOCK)


def test_two_streams_are_said_by_name() -> None:
    source = compiled("[16, 64]", *VITTM, name="vittm-digits", seed=1)
    model = compiled("[16, 64]", *VITTM, name="vittm-digits")
    state = source.state_dict()
    message = refused(archdsl.load_weights, model, state)
    assert (
        'its 16 rows may be of 4x4, 2x8 or another grid of patches; say which: grid={"process":'
        in (message)
    )
    assert 'or grid={"memory": (4, 16)}' in message
    archdsl.load_weights(model, state, grid={"process": (2, 8), "memory": (4, 16)})
    assert torch.equal(table_of(model), table_of(source))


def test_a_warm_start_takes_no_table_of_an_unknown_grid() -> None:
    state = vit(64, 64)
    model = compiled("[32, 128]", *VITTM, name="vittm-digits")
    message = refused(archdsl.warm_start, model, state)
    assert message == (
        "pos_embed of these weights cannot be taken: its 65 rows may be of 8x8, 4x16 or another "
        "grid of patches; say which: grid=(8, 8) or grid=(4, 16)"
    )
    report = archdsl.warm_start(model, state, grid=(8, 8))
    assert TABLE in report.resampled
    assert torch.equal(table_of(model), resampled(state["pos_embed"], [8, 8], [4, 16])[:, 1:])
    report = archdsl.warm_start(model, state, grid=(4, 16))
    assert report.resampled == ("embeds.memory.position",)
    assert torch.equal(table_of(model), state["pos_embed"][:, 1:])
    assert "of no square grid" in refused(archdsl.warm_start, model, vit(32, 64))
    archdsl.warm_start(compiled("64", *VITTM, name="vittm-digits"), state)
