"""A study names a recipe of the shelf, a file of its own, or writes the words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archdsl.errors import DocumentError
from archdsl.searching.read import CheckedStudy, read_study
from archdsl.training.read import read_recipe
from archdsl.training.recipe import Recipe

STUDY = """\
archdsl: 1
kind: study
name: small
base: tiny
space: {depth: {choose: [1, 2]}}
objectives: {top1: maximize}
evaluate: {top1: {data: digits, recipe: RECIPE}}
budget: {trials: 2}
"""
MINE = "archdsl: 1\nkind: recipe\nname: mine\nepochs: 3\nlr: 0.25\nclip_grad: 0\n"


def study_of(recipe: str, *, folder: Path = Path()) -> CheckedStudy:
    path = folder / "study.yaml"
    path.write_text(STUDY.replace("RECIPE", recipe))
    return read_study(str(path))


def stored(study: CheckedStudy) -> Any:
    """What stands for the recipe in the database, and names the study."""
    return study.study.identity()["evaluate"]["top1"]["recipe"]


def test_a_name_of_the_shelf_stays_a_name() -> None:
    assert stored(study_of("small-images")) == "small-images"


@pytest.mark.parametrize("name", ["mine", "mine.yaml", "small-images"])
def test_a_file_is_stored_as_its_words(name: str) -> None:
    Path(name).with_suffix(".yaml").write_text(MINE)
    expected = Recipe(epochs=3, lr=0.25, clip_grad=0).model_dump(mode="json")
    assert stored(study_of(name)) == expected
    assert stored(study_of("{epochs: 3, lr: 0.25, clip_grad: 0}")) == expected


def test_a_file_beside_the_study_comes_first(folder: Path) -> None:
    (folder / "mine.yaml").write_text(MINE.replace("epochs: 3", "epochs: 4"))
    (folder / "tables").mkdir()
    (folder / "tables/mine.yaml").write_text(MINE)
    assert stored(study_of("mine", folder=folder / "tables"))["epochs"] == 3
    assert stored(study_of("mine", folder=folder))["epochs"] == 4


def test_problems_of_a_recipe_come_with_those_of_the_study(folder: Path) -> None:
    (folder / "mine.yaml").write_text(MINE.replace("lr:", "lrr:"))
    (folder / "study.yaml").write_text(
        STUDY.replace("RECIPE", "mine").replace("trials: 2", "trials: none")
    )
    with pytest.raises(DocumentError) as caught:
        read_study("study.yaml")
    found = {(Path(each.source).name, each.line, each.path) for each in caught.value.problems}
    assert found == {("study.yaml", 8, "budget.trials"), ("mine.yaml", 5, "lrr")}


def test_a_recipe_that_is_not_there_is_told_once() -> None:
    with pytest.raises(DocumentError) as caught:
        study_of("smal-images")
    [problem] = caught.value.problems
    assert (problem.line, problem.path) == (7, "evaluate.top1.recipe")
    assert "did you mean 'small-images'" in problem.message
    with pytest.raises(DocumentError, match=r"'digits' is a study, and a recipe is wanted here"):
        study_of("digits")


@pytest.mark.parametrize("name", ["mine", "small-images"])
def test_a_setting_changes_one_word_of_the_recipe_that_is_named(name: str) -> None:
    Path("mine.yaml").write_text(MINE)
    study_of(name)
    changed = stored(read_study("study.yaml", ["evaluate.top1.recipe.batch=8"]))
    assert changed == {**read_recipe(name).model_dump(mode="json"), "batch": 8}


def test_a_setting_over_a_recipe_that_is_not_there_does_not_hide_that() -> None:
    with pytest.raises(DocumentError):
        study_of("nowhere")
    with pytest.raises(DocumentError, match=r"no document 'nowhere'"):
        read_study("study.yaml", ["evaluate.top1.recipe.batch=8"])
