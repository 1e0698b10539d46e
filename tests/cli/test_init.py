"""`archdsl init`: a first model and study that fit."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest
import yaml
from PIL import Image

from archdsl.training.read import read_recipe
from archdsl.training.recipe import Recipe
from tests.cli.conftest import Command


@pytest.fixture
def photos(folder: Path) -> str:
    """Two classes of pictures between 40 and 90 pixels, one of them much larger than the other."""
    random = Random(0)
    for name, count in (("cats", 24), ("dogs", 8)):
        (folder / "photos" / name).mkdir(parents=True)
        for number in range(count):
            size = (40, 50) if number % 2 else (90, 80)
            content = random.randbytes(size[0] * size[1] * 3)
            Image.frombytes("RGB", size, content).save(folder / "photos" / name / f"{number}.png")
    return "folder:photos"


def test_both_fit_the_pictures(run: Command, photos: str) -> None:
    done = run("init", "--data", photos)
    assert "pictures are brought to 48 pixels; image.size says otherwise" in done.out
    assert "78% of the images to train on are of 'cats'" in done.out
    words = f"--data {photos} --recipe cifar -o runs/my-vittm"
    assert f"archdsl train my-vittm.yaml {words}\n" in done.out
    assert "fits       my-vittm" in run("data", photos, "my-vittm.yaml").out
    estimate = run("search", "my-vittm-study.yaml", "--dry-run", "--json").json()
    assert (estimate["feasible"], estimate["epochs"]) == (1, 30)


def test_small_pictures_say_where_their_network_comes_from(run: Command, photos: str) -> None:
    run("init", "--data", photos)
    model, study = (Path(name).read_text() for name in ("my-vittm.yaml", "my-vittm-study.yaml"))
    assert "specs/vittm-cifar.yaml, which it follows, came to 70.8 %" in model
    assert "the recipe `cifar`, which that model was measured with" in study
    words = yaml.safe_load(study)
    assert words["evaluate"]["top1"]["recipe"] == "cifar"
    stems = words["space"]["memory"]["embed"]["choose"]
    assert {name: len(stem["strides"]) for name, stem in stems.items()} == {"five": 5, "three": 3}
    for name in ("my-vittm.yaml", "my-vittm-study.yaml"):
        run("check", name)


def test_grey_pictures_are_not_mirrored(run: Command, folder: Path) -> None:
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (60, 28, 28), dtype=np.uint8), np.arange(60) % 3
    np.savez("grey.npz", x_train=images, y_train=labels)
    told = run("init", "--data", "npz:grey.npz", "--json").json()["document"]
    assert (told["depth"], told["process"]["dim"], told["output"]["num_classes"]) == (2, 256, 3)
    words = yaml.safe_load(Path("my-vittm-study.yaml").read_text())
    run("check", "my-vittm-study.yaml")
    recipe, published = Recipe(**words["evaluate"]["top1"]["recipe"]), read_recipe("cifar")
    assert published.flip == 0.5
    assert recipe == published.model_copy(update={"flip": 0.0})
    said = run("init", "--data", "npz:grey.npz", "--force").out
    assert "--data npz:grey.npz --recipe cifar --set flip=0 -o runs/my-vittm\n" in said


def test_what_was_edited_is_kept(run: Command, folder: Path) -> None:
    told = run("init", "--data", "digits", "--name", "small", "-o", "mine", "--json").json()
    assert (told["model"], told["study"]) == ("mine/small.yaml", "mine/small-study.yaml")
    assert told["document"]["image"] == {"size": 8, "channels": 1}
    run("init", "--data", "digits", "--name", "small", "-o", "mine")
    edited = folder / "mine/small.yaml"
    edited.write_text(edited.read_text().replace("depth: 4", "depth: 2"))
    assert "--force" in run("init", "--data", "digits", "--name", "small", "-o", "mine", code=2).err
    assert "depth: 2" in edited.read_text()


def test_a_name_is_no_path(run: Command) -> None:
    assert (
        "give a plain name, and -o DIR"
        in run("init", "--data", "digits", "--name", "a/b", code=2).err
    )
