"""Published ViTTM models: equal weights give the published outputs.

Each file in `assets/` holds one small model in the published layout with every parameter drawn at
random, one batch of images and the outputs of the published architecture.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import archdsl
from archdsl.document.tree import tree_of
from archdsl.measuring.count import count
from archdsl.plan.read import Checked, check_model

ASSETS = sorted((Path(__file__).parent / "assets").glob("*.npz"))
HEADS = {
    "lin": "linear_attention",
    "ca": "cross_attention",
    "lca": "latent_attention",
    "tl": "token_summary",
}
ROUNDED_BY_FVCORE = {"lin_s1_add": 20}
"""fvcore takes the cost of an einsum from four printed digits, too few for the widest heads."""


@cache
def asset(path: Path) -> dict[str, Any]:
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def config(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(str(asset(path)["config"]))
    return found


def checked(path: Path, *, published_layout: bool = True) -> Checked:
    made = config(path)
    head: dict[str, Any] = {"type": HEADS[made["head"]], "fusion": made["fusion"]}
    if made["head"] in ("lin", "lca"):
        head["latent_ratio"] = 1 / made["scale"]
    document: dict[str, Any] = {
        "archdsl": 1,
        "name": made["case"],
        "image": {"size": made["img"], "channels": 3},
        "depth": made["depth"],
        "process": {
            "embed": {"type": "patch", "patch_size": made["process_ps"]},
            "dim": made["embed_dim"],
            "block": {
                "type": "transformer",
                "num_heads": made["num_heads"],
                "mlp_ratio": made["mlp_ratio"],
            },
        },
        "memory": {"embed": {"type": "patch", "patch_size": made["memory_ps"]}},
        "exchange": {"read": head, "write": head},
        "output": {"num_classes": made["num_classes"]},
        "published_layout": published_layout,
    }
    if made["memblock"] == "mlp":
        document["memory"]["block"] = {"type": "mlp", "mlp_ratio": made["mem_ratio"]}
    return check_model(tree_of(document, source=path.name))


def state(path: Path) -> dict[str, Tensor]:
    """The tensors under their published names."""
    return {
        key.removeprefix("state/"): torch.from_numpy(value)
        for key, value in asset(path).items()
        if key.startswith("state/")
    }


@pytest.mark.parametrize("path", ASSETS, ids=lambda path: path.stem)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-10)])
def test_outputs(path: Path, dtype: torch.dtype, tolerance: float) -> None:
    model = archdsl.compile(checked(path).spec)
    archdsl.load_weights(model, state(path))
    model = model.to(dtype).eval()
    images = torch.from_numpy(asset(path)["input"]).to(dtype)
    with torch.no_grad():
        features, logits = model.forward_features(images), model.forward_heads(images)
        predicted = model(images)
    for stream in ("memory", "process"):
        for found, key in (
            (logits[stream], f"out/{stream}_logits"),
            (features[stream], f"feat/{stream}"),
        ):
            expected = torch.from_numpy(asset(path)[key]).to(dtype)
            torch.testing.assert_close(found, expected, rtol=0, atol=tolerance, msg=key)
    assert torch.equal(predicted, logits["memory"])


@pytest.mark.parametrize("path", ASSETS, ids=lambda path: path.stem)
def test_counts(path: Path) -> None:
    found, expected = count(checked(path).plan), config(path)
    assert found.params == expected["params_live"]
    assert found.params_allocated == expected["params_allocated"]
    rounding = ROUNDED_BY_FVCORE.get(path.stem, 0)
    assert expected["fvcore_total_batch1"] - found.macs_fvcore == rounding


@pytest.mark.parametrize("path", ASSETS, ids=lambda path: path.stem)
def test_unused_tensors_are_left_out_where_none_are_allocated(path: Path) -> None:
    model = archdsl.compile(checked(path, published_layout=False).spec).double().eval()
    archdsl.load_weights(model, state(path), layout="vittm")
    with torch.no_grad():
        found = model(torch.from_numpy(asset(path)["input"]).double())
    expected = torch.from_numpy(asset(path)["out/memory_logits"])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("path", ASSETS, ids=lambda path: path.stem)
def test_every_published_tensor_is_kept_where_all_are_allocated(path: Path) -> None:
    model = archdsl.compile(checked(path).spec)
    archdsl.load_weights(model, state(path))
    kept = sorted(each.double().sum().item() for each in model.state_dict().values())
    assert kept == sorted(each.double().sum().item() for each in state(path).values())


def test_all_assets_are_there() -> None:
    names = ["ca_add", "lca_s4_erase", "lin_s1_add", "lin_s4_add", "lin_s4_add_equal"]
    assert [path.stem for path in ASSETS] == [*names, "lin_s4_add_mlp", "lin_s4_adderase", "tl_add"]
