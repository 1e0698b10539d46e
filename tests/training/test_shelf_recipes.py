"""The recipes that come with the package, and what is said of files that are none."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from archdsl.cli.schema import Kind, schema
from archdsl.document.shelves import documents, packaged
from archdsl.errors import DocumentError
from archdsl.training.read import read_recipe, read_recipe_document
from archdsl.training.recipe import Recipe

SHELF = documents(packaged("recipes"))


def test_the_schema_on_the_shelf_is_the_generated_one() -> None:
    written = json.loads((packaged("recipes") / "recipe.schema.json").read_text())
    assert written == schema(Kind.RECIPE)


@pytest.mark.parametrize("path", SHELF, ids=lambda path: path.stem)
def test_recipes_of_the_shelf_are_valid_and_named_as_their_files(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text()), schema(Kind.RECIPE))
    assert path.read_text().splitlines()[0] == "# yaml-language-server: $schema=recipe.schema.json"
    assert read_recipe_document(str(path)).name == path.stem


def test_small_images_is_what_was_named_so_before_there_were_recipes_in_files() -> None:
    assert read_recipe("small-images").model_dump(mode="json") == {
        "epochs": 30,
        "batch": 64,
        "lr": 0.003,
        "min_lr": 1e-5,
        "warmup_epochs": 0.5,
        "weight_decay": 0.05,
        "label_smoothing": 0.1,
        "clip_grad": 1.0,
        "augment": "none",
        "amp": True,
    }


PUBLISHED = """
                    | 21k-P pretrain     | IN-1k fine-tune S  | IN-1k fine-tune B
epochs              | 300                | 300                | 300
warmup_steps        | 10000              | 3000               | 3000
batch               | 4096               | 4096               | 2048
lr                  | 1.5e-4             | 1.75e-4            | 2.5e-5
warmup_lr           | 1e-6               | 1e-6               | 1e-6
min_lr              | 1e-7               | 1e-6               | 1e-7
weight_decay        | 0.03               | 0.03               | 0.1
clip_grad           | 1.0                | 1.0                | 1.0
rand_augment        | {ops: 2, magnitude: 15, most: 15} | {ops: 2, magnitude: 15, most: 15} | {ops: 3, magnitude: 20, most: 20}
mixup               | 0.5                | 0.5                | 0.8
cutmix              | 0.0                | 1.0                | 1.0
erasing             | 0.0                | 0.25               | 0.25
loss                | cross_entropy      | bce                | bce
drop_path           | 0.0                | 0.1                | 0.2
optimizer           | adamw              | adamw              | adamw
decay_all           | true               | true               | true
ema                 | 0.999              | 0.999              | 0.999
"""  # noqa: E501
"""How the networks of arXiv 2409.07613 were trained."""


def test_the_published_recipes_have_every_published_figure() -> None:
    rows = [[cell.strip() for cell in row.split("|")] for row in PUBLISHED.splitlines()[2:]]
    for column, name in enumerate(("vittm-in21k", "vittm-in1k-s", "vittm-in1k-b"), start=1):
        words = {row[0]: yaml.safe_load(row[column]) for row in rows}
        for word in ("lr", "warmup_lr", "min_lr"):
            words[word] = float(words[word])
        assert read_recipe(name) == Recipe(**words, label_smoothing=0.0, crop="random_resized",
                                           flip=0.5)  # fmt: skip


def test_a_file_and_settings_over_it_make_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("archdsl: 1\nkind: recipe\nname: mine\nepochs: 7\nlr: 0.5\n")
    assert read_recipe(str(path), ["lr=0.25"]) == Recipe(epochs=7, lr=0.25)


def test_all_problems_of_a_file_come_with_their_places(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("archdsl: 1\nkind: recipe\nname: wrong\nepochs: 0\nlearning_rate: 0.1\n")
    with pytest.raises(DocumentError) as caught:
        read_recipe(str(path), ["batch=many"])
    found = {(each.source, each.line, each.path) for each in caught.value.problems}
    assert found == {(str(path), 4, "epochs"), (str(path), 5, "learning_rate"),
                     ("--set batch=many", 1, "batch")}  # fmt: skip
