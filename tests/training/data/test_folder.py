"""Folders of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from archdsl.errors import DataError
from archdsl.training.data.dataset import Dataset
from archdsl.training.data.files import FileSplit
from archdsl.training.data.source import open_data

COLOURS = {"blue": (0, 0, 255), "red": (255, 0, 0)}


def fill(folder: Path, *, count: int, size: tuple[int, int] = (8, 8), suffix: str = "png") -> Path:
    """Write `count` pictures of (width, height) into each class folder, all different."""
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture = Image.new("RGB", size, colour)
            picture.putpixel((0, 0), (number, number, number))
            picture.save(folder / name / f"{number:03}.{suffix}")
    return folder


def read(dataset: Dataset, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The raw pixels (0-255) and labels of a split."""
    part = getattr(dataset, split)
    images, labels = part.batch(torch.arange(len(part)))
    mean = torch.tensor(dataset.normalisation.mean).view(1, -1, 1, 1)
    std = torch.tensor(dataset.normalisation.std).view(1, -1, 1, 1)
    return (images * std + mean).round(), labels


def test_class_folders_are_split_by_seed(tmp_path: Path) -> None:
    fill(tmp_path, count=10)
    dataset = open_data(f"folder:{tmp_path}")
    assert dataset.class_names == ("blue", "red")
    assert (dataset.channels, dataset.image_size) == (3, (8, 8))
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (12, 4, 4)
    assert open_data(f"folder:{tmp_path}", split_seed=1).digest != dataset.digest


def test_pictures_keep_their_labels_and_pixels(tmp_path: Path) -> None:
    dataset = open_data(f"folder:{fill(tmp_path, count=10)}")
    for split in ("train", "validation", "test"):
        images, labels = read(dataset, split)
        for image, label in zip(images, labels, strict=True):
            assert tuple(image[:, 4, 4].int().tolist()) == COLOURS[dataset.class_names[label]]


def test_val_serves_as_test_and_validation_comes_from_train(tmp_path: Path) -> None:
    fill(tmp_path / "train", count=20)
    fill(tmp_path / "val", count=3)
    dataset = open_data(f"folder:{tmp_path}")
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (36, 4, 6)
    numbers = [read(dataset, split)[0][:, 0, 0, 0] for split in ("train", "validation")]
    assert sorted(torch.cat(numbers).int().tolist()) == sorted([*range(20)] * 2)


def test_train_val_and_test_are_taken_as_they_are(tmp_path: Path) -> None:
    for part, count in (("train", 5), ("val", 3), ("test", 2)):
        fill(tmp_path / part, count=count)
    dataset = open_data(f"folder:{tmp_path}")
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (10, 6, 4)


def test_pictures_are_scaled_and_cropped_at_the_centre(tmp_path: Path) -> None:
    for name in COLOURS:
        (tmp_path / name).mkdir()
        for number in range(5):
            pixels = np.zeros((20, 60, 3), np.uint8)
            pixels[:, 20:40] = 200
            pixels[:, 30, 0] = number
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    dataset = open_data(f"folder:{tmp_path}", image_size=(10, 10))
    assert dataset.image_size == (10, 10)
    images, _ = read(dataset, "train")
    assert images.shape[1:] == (3, 10, 10)
    # Bicubic scaling blurs two columns at each edge.
    assert (images[:, 1, :, 2:8] == 200).all()


def test_grey_pictures_stay_grey_and_mixed_ones_become_rgb(tmp_path: Path) -> None:
    fill(tmp_path, count=5)
    for path in tmp_path.rglob("*.png"):
        Image.open(path).convert("L").save(path)
    assert open_data(f"folder:{tmp_path}").channels == 1
    fill(tmp_path, count=1)
    assert open_data(f"folder:{tmp_path}").channels == 3


def test_sixteen_bits_and_transparent_palettes(tmp_path: Path) -> None:
    fill(tmp_path, count=4)
    deep = np.full((8, 8), 200 << 8, dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "red" / "deep.png")
    palette = Image.new("P", (8, 8), 3)
    palette.putpalette([0] * 9 + [9, 8, 7])
    palette.save(tmp_path / "red" / "palette.png", transparency=bytes([0, 1, 2, 3]))
    dataset = open_data(f"folder:{tmp_path}")
    everything = torch.cat([read(dataset, part)[0] for part in ("train", "validation", "test")])
    centres = {tuple(image[:, 4, 4].int().tolist()) for image in everything}
    assert centres == {*COLOURS.values(), (200, 200, 200), (9, 8, 7)}


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    fill(tmp_path, count=5, suffix="JPG")
    before = open_data(f"folder:{tmp_path}").digest
    (tmp_path / "red" / "notes.txt").write_text("no picture")
    (tmp_path / "red" / ".hidden.png").write_bytes(b"")
    (tmp_path / ".cache").mkdir()
    assert open_data(f"folder:{tmp_path}").digest == before


def test_the_digest_sees_contents_and_names(tmp_path: Path) -> None:
    fill(tmp_path, count=5)
    before = open_data(f"folder:{tmp_path}").digest
    Image.new("RGB", (8, 8), (1, 2, 3)).save(tmp_path / "red" / "000.png")
    changed = open_data(f"folder:{tmp_path}").digest
    (tmp_path / "red").rename(tmp_path / "rose")
    renamed = open_data(f"folder:{tmp_path}").digest
    assert len({before, changed, renamed}) == 3


def test_batches_do_not_change_where_pictures_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = open_data(f"folder:{fill(tmp_path, count=5)}")
    indices = torch.tensor([4, 0, 4])
    first, _ = dataset.train.batch(indices)
    assert isinstance(dataset.train, FileSplit)
    assert set(dataset.train.cache) == {0, 4}
    assert torch.equal(dataset.train.batch(indices)[0], first)
    monkeypatch.setattr("archdsl.training.data.files.CACHE_BYTES", 0)
    unkept = open_data(f"folder:{tmp_path}").train
    assert isinstance(unkept, FileSplit)
    assert torch.equal(unkept.batch(indices)[0], first)
    assert not unkept.cache


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    fill(tmp_path, count=5)
    (tmp_path / "red" / "003.png").write_bytes(b"no picture")
    (tmp_path / "blue" / "001.png").write_bytes(b"")
    (tmp_path / "blue" / "a\nb.png").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        open_data(f"folder:{tmp_path}")
    assert "a\ufffdb.png cannot be decoded" in str(caught.value), "on one line"
    assert str(Path("red", "003.png cannot be decoded")) in str(caught.value)
    assert str(Path("blue", "001.png cannot be decoded")) in str(caught.value)


def test_a_picture_cut_off_after_its_header_is_named_when_read(tmp_path: Path) -> None:
    for part, count in (("train", 3), ("val", 2), ("test", 2)):
        fill(tmp_path / part, count=count, size=(64, 64))
    for name in ("000.png", "001.png"):
        cut_off(tmp_path / "val" / "red" / name)
    dataset = open_data(f"folder:{tmp_path}")
    with pytest.raises(DataError) as caught:
        read(dataset, "validation")
    for name in ("000.png", "001.png"):
        assert f"{name} cannot be decoded" in str(caught.value)


def test_sizes_that_differ_need_an_image_size(tmp_path: Path) -> None:
    fill(tmp_path, count=5)
    Image.new("RGB", (9, 8)).save(tmp_path / "red" / "wide.png")
    with pytest.raises(DataError, match=r"from 8 to \[8, 9\] pixels"):
        open_data(f"folder:{tmp_path}")


def test_mistakes_in_the_layout(tmp_path: Path) -> None:
    def message(folder: str) -> str:
        with pytest.raises(DataError) as caught:
            open_data(f"folder:{tmp_path / folder}")
        return str(caught.value)

    assert "there is no such folder" in message("gone")
    (tmp_path / "one" / "red").mkdir(parents=True)
    assert "has one class folder, red; at least two are needed" in message("one")
    assert "has no class folders; at least two are needed" in message("one/red")
    fill(tmp_path / "empty", count=5)
    for name in ("green", "white"):
        (tmp_path / "empty" / name).mkdir()
    empty = tmp_path / "empty"
    assert f"no pictures in {empty / 'green'}, {empty / 'white'};" in message("empty")
    fill(tmp_path / "few", count=2)
    assert "into 3 parts; give at least 3 to 'blue' (2), 'red' (2)" in message("few")
    fill(tmp_path / "alone" / "train", count=5)
    assert "has train/ but no val/" in message("alone")
    fill(tmp_path / "other" / "train", count=5)
    (fill(tmp_path / "other" / "val", count=5) / "red").rename(tmp_path / "other/val/rose")
    assert "do not have the same classes: only one of them has red, rose" in message("other")
