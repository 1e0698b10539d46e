"""`archdsl init`: a first model and study that fit."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from PIL import Image

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
    assert f"archdsl train my-vittm.yaml --data {photos} -o runs/my-vittm" in done.out
    assert "fits       my-vittm" in run("data", photos, "my-vittm.yaml").out
    estimate = run("search", "my-vittm-study.yaml", "--dry-run", "--json").json()
    assert (estimate["feasible"], estimate["epochs"]) == (1, 30)


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
