"""A model of timm's with published weights as a teacher: of a local cache or of a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

import archdsl
from archdsl.errors import DataError, DocumentError, WeightsError
from archdsl.training.data.source import open_data
from archdsl.training.read import resolve_recipe
from archdsl.training.recipe import Recipe
from archdsl.training.teacher import teacher_of

CPU = torch.device("cpu")
SYNSETS = ("n01491361", "n01484850")
"""Labels 3 and 2 of ImageNet."""


def weights(seed: int, **words: Any) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    model = timm.create_model("test_vit", **words)
    return {name: each + 0.05 * torch.randn_like(each) for name, each in model.state_dict().items()}


def pictures(place: Path, names: tuple[str, ...]) -> str:
    draws = np.random.default_rng(0)
    for name in names:
        for part in ("train", "val"):
            folder = place / part / name
            folder.mkdir(parents=True)
            for number in range(2):
                pixels = draws.integers(0, 256, (160, 160, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return f"folder:{place}"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("timm")
    pictures(found / "synsets", SYNSETS)
    pictures(found / "pets", ("cat", "dog"))
    save_file(weights(1), found / "vit.safetensors")
    save_file(weights(1, num_classes=2), found / "pets.safetensors")
    Path(found / "pets.txt").write_text("dog\ncat\n")
    return found


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of test_vit's published weights in an empty cache."""
    hub = tmp_path / "models--timm--test_vit.r160_in1k"
    (hub / "refs").mkdir(parents=True)
    (hub / "refs" / "main").write_text("abc")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    file = hub / "snapshots" / "abc" / "model.safetensors"
    file.parent.mkdir(parents=True)
    save_file(weights(0), file)
    return file


def recipe_of(teacher: str | Mapping[str, Any], place: Path) -> Recipe:
    if not isinstance(teacher, str):
        files = {
            word: str(place / teacher[word]) for word in ("init", "classes") if word in teacher
        }
        teacher = {**teacher, **files}
    return resolve_recipe({"epochs": 1, "batch": 4, "teacher": teacher, "distillation": "soft"})


@pytest.mark.usefixtures("cache")
def test_it_is_shown_the_images_as_it_was_its_own_and_asked_of_these_classes(place: Path) -> None:
    data = open_data(f"folder:{place / 'synsets'}", image_size=(160, 160))
    teacher = teacher_of(recipe_of("timm:test_vit", place), data, CPU)
    assert teacher is not None
    theirs = timm.create_model("test_vit").eval()
    theirs.load_state_dict(weights(0))
    picked = torch.arange(4)
    with torch.no_grad():
        images = (data.train.pixels(picked) / 255 - 0.5) / 0.5  # as its pretrained_cfg says
        expected = theirs(images)[:, [2, 3]]  # by the names in order
    torch.testing.assert_close(teacher(data.train.batch(picked)[0]), expected)


def test_a_file_says_its_classes_by_another(place: Path, cache: Path) -> None:
    cache.unlink()
    data = open_data(f"folder:{place / 'pets'}", image_size=(160, 160))
    words = {"model": "timm:test_vit", "init": "pets.safetensors", "classes": "pets.txt"}
    teacher = teacher_of(recipe_of(words, place), data, CPU)
    assert teacher is not None
    theirs = timm.create_model("test_vit", num_classes=2).eval()
    theirs.load_state_dict(weights(1, num_classes=2))
    with torch.no_grad():
        expected = theirs((data.train.pixels(torch.arange(2)) / 255 - 0.5) / 0.5).flip(1)
    torch.testing.assert_close(teacher(data.train.batch(torch.arange(2))[0]), expected)


def test_a_training_is_named_by_its_weights(place: Path, cache: Path, tmp_path: Path) -> None:
    asked = recipe_of("timm:test_vit", place)
    assert recipe_of("timm:test_vit.r160_in1k", place).teacher_weights == asked.teacher_weights
    source, words = f"folder:{place / 'synsets'}", asked.model_dump(exclude={"teacher_weights"})
    run = tmp_path / "run"
    bundle = archdsl.train("timm:test_resnet", data=source, recipe=words, folder=run, threads=1)
    assert bundle.training["recipe"]["teacher_weights"] == asked.teacher_weights
    tagged = {**words, "teacher": "timm:test_vit.r160_in1k"}
    found = archdsl.train("timm:test_resnet", data=source, recipe=tagged, folder=run, threads=1)
    assert found.certificate == bundle.certificate
    save_file(weights(2), cache)
    assert recipe_of("timm:test_vit", place).teacher_weights != asked.teacher_weights
    data = open_data(source, image_size=(160, 160))
    with pytest.raises(WeightsError, match="timm:test_vit holds other weights than when"):
        teacher_of(asked, data, CPU)


def test_it_knows_other_classes_or_images_than_the_data(place: Path, cache: Path) -> None:
    asked = recipe_of("timm:test_vit", place)
    run, words = cache.parent / "run", {"epochs": 1, "teacher": "timm:test_vit"}
    pets = f"folder:{place / 'pets'}"
    told = "teacher timm:test_vit was not trained for: 'cat', 'dog'; it knows 'n01440764', 'n0144"
    with pytest.raises(DataError, match=told):
        archdsl.train("timm:test_resnet", data=pets, recipe=words, folder=run, threads=1)
    assert not (run / "run.json").exists()
    small = open_data(f"folder:{place / 'synsets'}", image_size=(64, 64))
    with pytest.raises(DataError, match="images of 64 pixels, the teacher timm:test_vit takes 160"):
        teacher_of(asked, small, CPU)


@pytest.mark.parametrize(
    ("teacher", "told"),
    [
        (
            "timm:test_vit",
            r"no weights in the local cache \(timm/test_vit.r160_in1k\), and nothing",
        ),
        ("timm:test_vitt", "timm 1.* has no model 'test_vitt'; did you mean timm:test_vit"),
        (
            {"model": "timm:test_vit", "init": "vit.safetensors"},
            "not say what its classes are: name",
        ),
        (
            {"model": "timm:test_vit", "init": "pets.safetensors", "classes": "pets.npz"},
            "cannot read the classes .*pets.npz: No such file",
        ),
        (
            {"model": "timm:test_vit", "init": "vit.safetensors", "classes": "pets.txt"},
            r"does not fit timm:test_vit with 2 classes: of another shape: head.weight \(1000",
        ),
        (
            {"model": "timm:test_resnet.r160_in1k", "init": "vit.safetensors"},
            "vit.safetensors does not fit timm:test_resnet.r160_in1k: Error",
        ),
        (
            {"model": "timm:vit_base_patch16_clip_224.openai"},
            "timm does not say what the 512 classes of",
        ),
    ],
)
def test_what_is_no_teacher(
    teacher: str | Mapping[str, Any], told: str, place: Path, cache: Path
) -> None:
    cache.unlink()
    with pytest.raises(DocumentError, match=told):
        recipe_of(teacher, place)
