"""`archdsl data`: what is there, before anything is paid for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Command


@pytest.fixture
def photos(folder: Path) -> Path:
    """A training and a validation part of two classes: pictures of two sizes, and other files."""
    shades = iter(range(250))
    for part, counts in (("train", {"cats": 9, "dogs": 3}), ("val", {"cats": 2, "dogs": 2})):
        for name, count in counts.items():
            place = folder / "photos" / part / name
            place.mkdir(parents=True)
            for number in range(count):
                size = (12, 10) if number else (20, 16)
                Image.new("L", size, next(shades)).save(place / f"{number}.png")
    (folder / "photos/train/cats/list.csv").write_text("")
    return folder / "photos"


def test_what_is_there_is_said(run: Command, photos: Path) -> None:
    done = run("data", "folder:photos")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    for expected in (
        "train 12 images: train/",
        "validation 4 images: val/",
        "images grey, from [10, 12] to [16, 20] pixels, scaled to cover image.size and cropped",
        "document image: {size: any, channels: 1}, output: {num_classes: 2}",
        "note passed over: files that are no pictures (1 .csv)",
        "note 75% of the images to train on are of 'cats'; always answering that is as often right",
        "note no test part: networks are chosen by their validation, and then not tested",
        "class train validation of train",
        "cats 9 2 75%",
        "dogs 3 2 25%",
    ):
        assert expected in lines


def test_json_has_it_all(run: Command, photos: Path) -> None:
    found = run("data", "folder:photos", "--json").json()
    assert found["parts"] == {
        "train": {"images": 12, "from": "train/"},
        "validation": {"images": 4, "from": "val/"},
    }
    assert found["classes"][0] == {"name": "cats", "train": 9, "validation": 2, "share": 0.75}
    assert (found["image_size"], found["picture_sizes"]) == (None, [[10, 12], [16, 20]])
    assert len(found["notes"]) == 3


def test_a_document_fits_or_is_told_what_to_say(run: Command, photos: Path) -> None:
    wrong = run("data", "folder:photos", "vittm-digits", code=2)
    assert "set output.num_classes to 2" in wrong.err
    right = run("data", "folder:photos", "vittm-digits", "--set", "output.num_classes=2")
    assert (right.code, right.out.splitlines()[-1].split()) == (0, ["fits", "vittm-digits"])


def test_archives_may_name_their_classes(run: Command, folder: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8), dtype=np.uint8)
    arrays = {"x_train": images, "y_train": np.arange(30) % 3}
    for names, found in ((["a", "b", "c"], "a"), (["a", "b", "c", "void"], "a"), ([1, 2, 3], "0")):
        np.savez("data.npz", class_names=np.array(names), **arrays)
        assert run("data", "npz:data.npz", "--json").json()["classes"][0]["name"] == found
    np.savez("data.npz", class_names=np.array(["a"]), **arrays)
    assert "class_names names 1 classes" in run("data", "npz:data.npz", code=2).err


def test_a_search_says_so_before_it_pays(run: Command, photos: Path) -> None:
    words = (
        "search", "vittm-digits", "--objective", "params,top1", "--data", "folder:photos",
        "--set", "space.output.num_classes=2", "--set", "evaluate.top1.epochs=1",
        "--set", "budget.trials=1",
    )  # fmt: skip
    done = run(*words)
    assert done.code == 0, done.err
    said = done.err.splitlines()
    first = next(n for n, line in enumerate(said) if "trial 0" in line)
    for sentence in ("(1 .csv)", "75% of the images", "no test part"):
        assert sum(sentence in line for line in said[:first]) == 1, done.err
    assert "test top1" not in done.out
    dry = run(*words, "--dry-run").out
    assert "data       no test part: networks are chosen by their validation" in dry
