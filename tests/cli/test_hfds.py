"""A data set of Hugging Face, as `save_to_disk` leaves it: searched on, trained on, scored on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command

pytest.importorskip("pyarrow", reason="an extra")

from tests.training.data.test_hfds import save, table

MODEL = """\
archdsl: 1
name: small
image: {size: 8, channels: 1}
depth: 1
process: {embed: {type: patch, patch_size: 4}, dim: 8, block: {type: transformer, num_heads: 1}}
output: {num_classes: 2}
"""
STUDY = """\
archdsl: 1
kind: study
name: saved
base: small.yaml
objectives: {params: minimize, top1: maximize}
evaluate: {top1: {data: hfds/saved, recipe: {epochs: 1}, seeds: [0]}}
budget: {trials: 1}
"""


@pytest.fixture
def saved(folder: Path) -> None:
    for part, shades in (("train", range(20)), ("validation", range(8)), ("test", range(6))):
        save(folder / "saved" / part, table(shades))
    Path("small.yaml").write_text(MODEL)
    Path("study.yaml").write_text(STUDY)


@pytest.mark.usefixtures("saved")
def test_one_is_trained_and_scored(run: Command) -> None:
    words = ("--data", "hfds/saved", "--epochs", "1", "--threads", "1", "-o", "run", "--json")
    scores = {
        each["quantity"]: each for each in run("train", "small.yaml", *words).json()["scores"]
    }
    assert scores["top1"]["detail"]["count"] == 8
    told = run("eval", "run", "--data", "hfds/saved", "--json").json()
    assert told["images"] == scores["test_top1"]["detail"]["count"] == 6
    assert told["top1"]["value"] == scores["test_top1"]["value"]
    assert [each["name"] for each in told["classes"]] == ["even", "odd"]


@pytest.mark.usefixtures("saved")
@pytest.mark.process
def test_one_is_searched_on(run: Command) -> None:
    run("search", "study.yaml", "--db", "saved.db")
    front = run("front", "--db", "saved.db", "--json").json()
    assert "hfds/saved" in json.dumps(front)
