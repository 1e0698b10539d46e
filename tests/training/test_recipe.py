"""Recipes: the words a study may write, and what it may not."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from archdsl.errors import DocumentError, NameNotFoundError
from archdsl.training.read import read_recipe, resolve_recipe
from archdsl.training.recipe import Recipe


def test_a_name_a_mapping_and_a_recipe_lead_to_a_recipe() -> None:
    named = resolve_recipe("small-images")
    assert named == read_recipe("small-images") == Recipe()
    assert resolve_recipe({"epochs": 7}) == Recipe(epochs=7)
    assert resolve_recipe(named) is named
    assert resolve_recipe(named.model_dump(mode="json")) == named


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(NameNotFoundError, match="did you mean 'small-images'"):
        resolve_recipe("smal-images")


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ({"epochs": 0}, "epochs"),
        ({"epochs": 2.5}, "epochs"),
        ({"batch": "64"}, "batch"),
        ({"lr": 0}, "lr"),
        ({"lr": float("nan")}, "lr"),
        ({"clip_grad": -1.0}, "clip_grad"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"augment": "flip"}, "augment"),
        ({"augment": "shift", "flip": 0.5}, "augment: shift says what crop and flip say"),
        ({"crop": "random_resized", "scale": [0.5, 0.2]}, "begins above its end"),
        ({"scale": [0.5, 1.0]}, "has a meaning for crop: random_resized alone"),
        ({"crop": "random_resized", "scale": [0, 1]}, "not a share of the picture"),
        ({"rand_augment": {"magnitude": 15}}, "magnitude 15 is above most 10"),
        ({"flip": 50}, "flip"),
        ({"learning_rate": 0.1}, "learning_rate"),
        ({"lr": 1e-4, "min_lr": 1e-3}, "min_lr 0.001 is above lr 0.0001"),
        ({"epochs": 3, "warmup_epochs": 3}, "warmup_epochs 3 must stay under epochs 3; lower it"),
    ],
)
def test_words_that_make_no_recipe_are_named(words: dict[str, Any], path: str) -> None:
    with pytest.raises(DocumentError) as caught:
        resolve_recipe(words)
    assert path in str(caught.value)


def test_all_wrong_words_come_at_once() -> None:
    with pytest.raises(DocumentError) as caught:
        resolve_recipe({"epochs": 0, "lr": -1.0})
    assert [problem.path for problem in caught.value.problems] == ["epochs", "lr"]


def test_one_epoch_needs_no_other_word() -> None:
    assert resolve_recipe({"epochs": 1}).epochs == 1


def test_every_word_is_described() -> None:
    assert all(field.description for field in Recipe.model_fields.values())


def test_the_schema_needs_no_torch() -> None:
    program = "import sys, archdsl.training.recipe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_older_words_mean_what_took_their_place() -> None:
    assert resolve_recipe({"augment": "shift"}) == Recipe(crop="pad")
    assert resolve_recipe({"augment": "flip_shift"}) == Recipe(crop="pad", flip=0.5)
