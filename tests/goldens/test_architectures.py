"""Every architecture keeps its identity, its facts, the key of its trainings and what it computes.

The key of a training hashes the classes and plain attributes of all modules of a network: one that
changes finds no training of before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch import nn

from archdsl.compiler.build import build_plan, build_without_weights
from archdsl.document.shelves import names
from archdsl.document.tree import tree_of
from archdsl.plan.facts import facts
from archdsl.plan.plan import Plan
from archdsl.plan.read import check_model, read_model
from archdsl.training.data.dataset import Dataset
from archdsl.training.data.in_memory import Labelled, memory_dataset
from archdsl.training.read import resolve_recipe
from archdsl.training.run_key import run_keys
from archdsl.training.tasks.classification import Classification

FILE = Path(__file__).parent / "assets/architectures.json"
GOLDEN: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
DATA = "0123456789abcdef"
RECIPE = "small-images"


def versions() -> dict[str, str]:
    """Of what builds modules: their attributes are part of the keys."""
    return {
        "torch": str(torch.__version__).partition("+")[0],
        "torchvision": torchvision.__version__.partition("+")[0],
        "timm": timm.__version__,
    }


def data_of(digest: str) -> Dataset:
    """Data of which nothing but the digest counts."""
    images = np.eye(8, dtype=np.uint8)[None, None]
    part = Labelled(images=images, labels=np.zeros(1, dtype=np.int64))
    parts = dict.fromkeys(("train", "validation", "test"), part)
    made = memory_dataset(parts, name="none", class_names=["0"], sources={})
    return replace(made, digest=digest)


def key_of(
    network: nn.Module,
    *,
    data: str = DATA,
    recipe: str | Mapping[str, Any] = RECIPE,
    seed: int = 0,
) -> str:
    """The last of the keys that a training's files may bear, which was once the only one."""
    return run_keys(
        network,
        data_of(data),
        task=Classification(),
        recipe=resolve_recipe(recipe),
        seed=seed,
    )[-1]


def plan_of(document: Mapping[str, Any]) -> Plan:
    return check_model(tree_of(document, source="golden")).plan


def logits_of(plan: Plan) -> dict[str, list[float]]:
    """Of each classifier, and `model(images)` as `predicted`.

    The weights are those of seed 0 and a wave over each tensor: some are drawn as zeros.
    """
    torch.manual_seed(0)
    network = build_plan(plan).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.arange(weight.numel()).sin().view_as(weight).mul(0.1))
    channels, height, width = plan.image
    count = channels * height * width
    images = torch.linspace(-2, 2, count).sin().mul(3).view(1, channels, height, width)
    with torch.inference_mode():
        found = {**network.forward_heads(images), "predicted": network(images)}
    return {name: each[0].tolist() for name, each in found.items()}


def described(document: Mapping[str, Any]) -> dict[str, Any]:
    """What is pinned of one document, which is kept beside it."""
    plan = plan_of(document)
    return {
        "document": dict(document),
        "arch_id": plan.arch_id,
        "facts": dict(facts(plan)),
        "run_key": key_of(build_plan(plan)),
        "logits": {
            name: [float(f"{value:.6g}") for value in values]
            for name, values in logits_of(plan).items()
        },
    }


def shelf_keys() -> dict[str, str]:
    """Of the whole shelf, without memory for weights."""
    return {name: key_of(build_without_weights(read_model(name).plan)) for name in names("specs")}


def alike() -> None:
    """Skip where other packages build the modules."""
    if versions() != GOLDEN["versions"]:
        pytest.skip(f"keys were written with {GOLDEN['versions']}, here is {versions()}")


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


DOCUMENTS = list(GOLDEN.get("documents", {}).items())
IDS = [name for name, _ in DOCUMENTS]


@pytest.mark.parametrize(("name", "golden"), DOCUMENTS, ids=IDS)
def test_an_architecture_keeps_its_identity_and_its_facts(
    name: str, golden: Mapping[str, Any]
) -> None:
    plan = plan_of(golden["document"])
    assert plan.arch_id == golden["arch_id"]
    known = facts(plan)  # facts of later are beside those of before
    assert {name: known[name] for name in golden["facts"]} == golden["facts"]


@pytest.mark.parametrize(("name", "golden"), DOCUMENTS, ids=IDS)
def test_a_network_keeps_the_key_of_its_trainings(name: str, golden: Mapping[str, Any]) -> None:
    alike()
    plan = plan_of(golden["document"])
    assert key_of(build_plan(plan)) == golden["run_key"]
    assert key_of(build_without_weights(plan)) == golden["run_key"], "with or without memory"


@pytest.mark.parametrize(("name", "golden"), DOCUMENTS, ids=IDS)
def test_a_seed_draws_the_same_network(name: str, golden: Mapping[str, Any]) -> None:
    alike()
    found = logits_of(plan_of(golden["document"]))
    assert list(found) == list(golden["logits"])
    for head, values in found.items():
        assert values == pytest.approx(golden["logits"][head], rel=1e-3, abs=1e-5)


@pytest.mark.slow
def test_the_shelf_keeps_the_keys_of_its_trainings() -> None:
    alike()
    assert shelf_keys() == GOLDEN["shelf"]


def test_recipes_seeds_and_data_make_the_same_keys_as_before() -> None:
    alike()
    network = build_without_weights(plan_of(GOLDEN["documents"]["linear"]["document"]))
    found = [key_of(network, **run["arguments"]) for run in GOLDEN["runs"]]
    assert found == [run["run_key"] for run in GOLDEN["runs"]]
    assert len(set(found)) == len(found)
