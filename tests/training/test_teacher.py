"""A trained network that another learns from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from timm.task import LogitDistillationTask, TokenDistillationTask
from torch import nn

import archdsl
from archdsl.errors import DocumentError
from archdsl.storage.folder import Folder
from archdsl.training.data.digits import open_digits
from archdsl.training.loop import fit
from archdsl.training.read import resolve_recipe
from archdsl.training.recipe import Recipe
from archdsl.training.run_key import run_keys
from archdsl.training.tasks import TASKS

CPU, TASK = torch.device("cpu"), TASKS["top1"]

DISTILLED = {
    "archdsl": 1,
    "name": "distilled",
    "image": {"size": 8, "channels": 1},
    "depth": 1,
    "process": {
        "embed": {"type": "patch", "patch_size": 4},
        "prefix_tokens": ["cls", "distillation"],
        "dim": 16,
        "block": {"type": "transformer", "num_heads": 2},
    },
    "output": {"num_classes": 10, "pool": "cls"},
}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teacher") / "run"
    archdsl.train("vittm-digits", data="digits", folder=folder, epochs=2, threads=1)
    return folder


def recipe_of(teacher: Path, **words: Any) -> Recipe:
    return resolve_recipe({"epochs": 2, "batch": 256, "teacher": str(teacher), **words})


def weights_after(recipe: Recipe, folder: Path, *, dies_after: int = 0) -> Mapping[str, Any]:
    network = archdsl.compile(archdsl.load("vittm-digits"), seed=1)

    def report(epoch: int, values: Mapping[str, float]) -> None:
        if epoch == dies_after:
            raise KeyboardInterrupt

    fit(
        network,
        open_digits(name="digits", split_seed=0),
        task=TASK,
        recipe=recipe,
        seed=1,
        device=CPU,
        storage=Folder(folder),
        report=report,
    )
    return network.state_dict()


def test_the_loss_is_that_of_timm() -> None:
    torch.manual_seed(0)
    student, other = (
        timm.create_model("test_resnet", num_classes=4, in_chans=3).eval() for _ in range(2)
    )
    images, labels = torch.randn(5, 3, 32, 32), torch.tensor([0, 1, 2, 3, 0])
    theirs = LogitDistillationTask(
        student, other, nn.CrossEntropyLoss(), task_loss_weight=0.3, temperature=3.0, verbose=False
    )
    with torch.no_grad():
        expected = theirs(images, labels)["loss"]
        recipe = Recipe(
            teacher="other", distillation="soft", temperature=3.0, teacher_share=0.7,
            label_smoothing=0.0,
        )  # fmt: skip
        mean, std = theirs.student_mean, theirs.student_std
        assert torch.equal(mean, theirs.teacher.mean_kd)
        assert torch.equal(std, theirs.teacher.std_kd)
        found = TASK.loss(student, images, labels, recipe=recipe, taught=other(images))
        hard = recipe.model_copy(update={"distillation": "hard"})
        taught = TASK.loss(student, images, labels, recipe=hard, taught=other(images))
        cross = nn.functional.cross_entropy
        logits = student(images)
        by_hand = 0.3 * cross(logits, labels) + 0.7 * cross(logits, other(images).argmax(1))
    assert found == pytest.approx(float(expected), rel=1e-6)
    assert taught == pytest.approx(float(by_hand), rel=1e-6)


def test_a_distillation_token_learns_of_the_teacher_and_the_others_of_the_labels() -> None:
    torch.manual_seed(0)
    student, other = (
        timm.create_model("deit_tiny_distilled_patch16_224", img_size=32, depth=1, num_classes=4)
        for _ in range(2)
    )
    other.eval()
    images, labels = torch.randn(5, 3, 32, 32), torch.tensor([0, 1, 2, 3, 0])
    theirs = TokenDistillationTask(
        student, other, nn.CrossEntropyLoss(), task_loss_weight=0.3, temperature=3.0, verbose=False
    )
    recipe = Recipe(
        teacher="other", distillation="soft", temperature=3.0, teacher_share=0.7,
        label_smoothing=0.0,
    )  # fmt: skip
    with torch.no_grad():
        student.train()  # which alone gives the answers of both
        expected = theirs(images, labels)["loss"]
        found = TASK.loss(student, images, labels, recipe=recipe, taught=other(images))
    assert found == pytest.approx(float(expected), rel=1e-6)
    ours = archdsl.compile(archdsl.load(DISTILLED), seed=0)
    for each in ours.classifiers.values():
        nn.init.normal_(each.linear.weight)
    images = torch.randn(5, 1, 8, 8)
    cross, taught = nn.functional.cross_entropy, torch.randn(5, 10)
    hard = recipe.model_copy(update={"distillation": "hard"})
    found = TASK.loss(ours, images, labels, recipe=hard, taught=taught)
    heads = ours.forward_heads(images)
    by_hand = 0.3 * cross(heads["process"], labels)
    by_hand = by_hand + 0.7 * cross(heads["distillation"], taught.argmax(1))
    torch.testing.assert_close(found, by_hand)


@pytest.mark.slow
def test_a_training_that_was_interrupted_ends_as_an_undisturbed_one(
    teacher: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(teacher, distillation="soft", temperature=2.0, mixup=0.8, drop_path=0.1)
    whole = weights_after(recipe, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        weights_after(recipe, tmp_path / "one", dies_after=1)
    again = weights_after(recipe, tmp_path / "one")
    alone = weights_after(resolve_recipe({"epochs": 2, "batch": 256}), tmp_path / "alone")
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    assert not all(torch.equal(whole[name], alone[name]) for name in whole)


def test_what_names_a_training_is_the_weights_of_its_teacher(teacher: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes((teacher / "bundle.safetensors").read_bytes())
    model, data = archdsl.compile(archdsl.load("vittm-digits")), open_digits(name="d", split_seed=0)

    def key(recipe: Recipe) -> str:
        return run_keys(model, data, task=TASK, recipe=recipe, seed=0)[0]

    own = recipe_of(teacher)
    assert own.teacher_weights == archdsl.load_bundle(teacher).weights
    assert key(own) == key(recipe_of(moved))
    others = own.model_copy(update={"teacher_weights": "0" * 64})
    assert key(own) != key(others)
    with pytest.raises(archdsl.errors.WeightsError, match="holds other weights than when"):
        weights_after(others, tmp_path / "others")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"teacher": "nowhere"}, "nowhere is no bundle; name what archdsl train left"),
        ({"distillation": "soft"}, "distillation has no effect without a teacher"),
        ({"teacher": "x", "temperature": 2.0}, "temperature has a meaning for distillation: soft"),
    ],
)
def test_what_is_no_teacher(words: dict[str, Any], told: str) -> None:
    with pytest.raises(DocumentError, match=told):
        resolve_recipe(words)
