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
from archdsl.measure.count import count
from archdsl.plan.read import Checked, check_model

ASSETS = sorted((Path(__file__).parent / "assets").glob("lin_*.npz"))
ROUNDED_BY_FVCORE = 20
"""fvcore takes the cost of an einsum from four printed digits, too few for the widest heads."""


@cache
def asset(path: Path) -> dict[str, Any]:
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def config(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(str(asset(path)["config"]))
    return found


def checked(path: Path) -> Checked:
    made = config(path)
    head = {"type": "linear_attention", "latent_ratio": 1 / made["scale"], "fusion": made["fusion"]}
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
        "published_layout": True,
    }
    if made["memblock"] == "mlp":
        document["memory"]["block"] = {"type": "mlp", "mlp_ratio": made["mem_ratio"]}
    return check_model(tree_of(document, source=path.name))


def name_of(published: str, *, dead: set[str]) -> str:
    """A published tensor's name to ours."""
    if published in dead:
        return "unused." + published.replace(".", "/")
    if published.endswith("_pos_embed"):
        return f"embeds.{published.removesuffix('_pos_embed')}.position"
    first, _, rest = published.partition(".")
    number, _, part = rest.partition(".")
    stream, _, word = first.partition("_")
    classifiers = {
        "head": "memory.linear",
        "fc_norm": "memory.pooled_norm",
        "process_head": "process.linear",
        "process_norm": "process.norm",
        "fc_norm_process": "process.pooled_norm",
    }
    if first in classifiers:
        return f"classifiers.{classifiers[first]}.{rest}"
    if word == "embedder":
        return f"embeds.{stream}.embed.{rest}"
    if first == "blocks":
        return f"layers.{number}.process.blocks.0.{part}"
    if first == "mem_blocks":
        return f"layers.{number}.memory.blocks.0.{part.removeprefix('mlp.')}"
    inside = "norms.both" if word == "norm" else "head"
    return f"layers.{number}.{stream}.{inside}.{part}"


def state(path: Path) -> dict[str, Tensor]:
    dead = set(config(path)["dead_parameters"])
    found = {}
    for key, value in asset(path).items():
        if key.startswith("state/"):
            published = key.removeprefix("state/")
            tensor = torch.from_numpy(value)
            alive = published.endswith("_embedder.proj.weight")
            found[name_of(published, dead=dead)] = tensor.flatten(1) if alive else tensor
    return found


@pytest.mark.parametrize("path", ASSETS, ids=lambda path: path.stem)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-10)])
def test_outputs(path: Path, dtype: torch.dtype, tolerance: float) -> None:
    model = archdsl.compile(checked(path).spec)
    model.load_state_dict(state(path))
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
    rounding = ROUNDED_BY_FVCORE if expected["scale"] == 1 else 0
    assert abs(found.macs_fvcore - expected["fvcore_total_batch1"]) <= rounding


def test_all_assets_are_there() -> None:
    names = ["lin_s1_add", "lin_s4_add", "lin_s4_add_equal", "lin_s4_add_mlp"]
    assert [path.stem for path in ASSETS] == names
