"""The space around a plain model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from archdsl.document.shelves import documents, packaged
from archdsl.document.tree import tree_of
from archdsl.plan.read import read_model
from archdsl.searching.around import neighbourhood_document, with_objectives
from archdsl.searching.read import check_study
from archdsl.space.deciders import FirstOption

MODELS = [path.stem for path in documents(packaged("specs"))]


@pytest.mark.parametrize("name", MODELS)
def test_every_packaged_model_can_be_searched_around(name: str, folder: Path) -> None:
    model = read_model(name)
    document = neighbourhood_document(model, base=name, data="digits")
    checked = check_study(tree_of(document, source=name), folder=folder)
    assert checked.space.size > 10
    first = checked.space.walk(FirstOption({})).model
    assert first.plan.arch_id == model.plan.arch_id, "the model's own values come first"


def test_without_data_nothing_is_trained() -> None:
    document = neighbourhood_document(read_model("vittm-digits"), base="vittm-digits", data=None)
    assert list(document["objectives"]) == list(document["evaluate"]) == ["latency"]
    assert document["evaluate"]["latency"] == {"device": "any", "batch": 8, "threads": 1}


def test_a_model_with_little_to_change_still_has_a_neighbourhood(folder: Path) -> None:
    text = (folder / "tiny.yaml").read_text()
    document: dict[str, Any] = yaml.safe_load(text)
    document |= {"depth": 1, "image": {"size": [5, 7], "channels": 3}}
    document["process"]["embed"]["patch_size"] = [5, 7]
    document["memory"]["embed"]["patch_size"] = 1
    (folder / "odd.yaml").write_text(yaml.safe_dump(document))
    model = read_model("odd")
    study = neighbourhood_document(model, base="odd", data="digits")
    assert check_study(tree_of(study, source="odd"), folder=folder).space.size > 1


def test_a_trained_objective_is_measured_of_the_training_that_there_is(folder: Path) -> None:
    document = neighbourhood_document(read_model("tiny"), base="tiny", data="digits")
    tree = with_objectives(
        tree_of(document, source="study"), ["latency", "f1", "top1"], source="--objective"
    )
    evaluate = check_study(tree, folder=folder).study.evaluate
    assert list(evaluate.given()) == ["latency", "top1", "f1"]
    assert evaluate.of("f1") == evaluate.of("top1")
    alone = with_objectives(tree, ["f1"], source="--objective")
    assert list(check_study(alone, folder=folder).study.evaluate.given()) == ["f1"]


def test_a_measurement_is_left_out_that_is_only_part_of_a_bounded_fact(folder: Path) -> None:
    """`memory_tokens` is no bound on `memory`."""
    document = neighbourhood_document(read_model("tiny"), base="tiny", data=None)
    document["objectives"]["memory"] = "minimize"
    document["evaluate"]["memory"] = {"device": "any", "batch": 1}
    document["constraints"] = ["process_tokens <= memory_tokens"]
    tree = tree_of(document, source="study")
    chosen = with_objectives(tree, ["latency"], source="--objective")
    assert list(check_study(chosen, folder=folder).study.evaluate.given()) == ["latency"]
    document["constraints"] = ["memory <= 1GiB"]
    bounded = with_objectives(tree_of(document, source="study"), ["latency"], source="--objective")
    assert list(check_study(bounded, folder=folder).study.evaluate.given()) == ["latency", "memory"]
