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
from archdsl.training.data.reading import Reading
from archdsl.training.data.source import open_data
from tests.fixtures.data import sizes

COLOURS = {"blue": (0, 0, 255), "red": (255, 0, 0)}


def fill(folder: Path, *, count: int, size: tuple[int, int] = (8, 8), suffix: str = "png") -> Path:
    """Write `count` pictures of (width, height) into each class folder, all different."""
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture = Image.new("RGB", size, colour)
            picture.putpixel((0, 0), (number, number, number))
            picture.putpixel((1, 0), (40 * number % 256,) * 3)  # what JPEG keeps
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
    assert sizes(dataset) == [12, 4, 4]
    assert open_data(f"folder:{tmp_path}", split_seed=1).digest != dataset.digest


def test_pictures_keep_their_labels_and_pixels(tmp_path: Path) -> None:
    dataset = open_data(f"folder:{fill(tmp_path, count=10)}")
    for split in ("train", "validation", "test"):
        images, labels = read(dataset, split)
        for image, label in zip(images, labels, strict=True):
            assert tuple(image[:, 4, 4].int().tolist()) == COLOURS[dataset.class_names[label]]


@pytest.mark.parametrize("spelling", ["val", "valid", "Validation", "dev"])
def test_what_is_called_validation_is_validation(tmp_path: Path, spelling: str) -> None:
    fill(tmp_path / "train", count=20)
    fill(tmp_path / spelling, count=3)
    dataset = open_data(f"folder:{tmp_path}")
    assert (sizes(dataset), dataset.test) == ([40, 6], None)
    assert dataset.sources == {"train": "train/", "validation": f"{spelling}/"}


@pytest.mark.parametrize(
    "spellings", [("train", "test"), ("training", "testing"), ("Train", "TEST")]
)
def test_validation_that_is_not_there_comes_from_train(
    tmp_path: Path, spellings: tuple[str, str]
) -> None:
    train, test = spellings
    fill(tmp_path / train, count=20)
    fill(tmp_path / test, count=3)
    dataset = open_data(f"folder:{tmp_path}")
    assert sizes(dataset) == [36, 4, 6]
    assert dataset.sources == {
        "train": f"90 % of every class of {train}/, by seed 0",
        "validation": f"10 % of every class of {train}/, by seed 0",
        "test": f"{test}/",
    }
    numbers = [read(dataset, split)[0][:, 0, 0, 0] for split in ("train", "validation")]
    assert sorted(torch.cat(numbers).int().tolist()) == sorted([*range(20)] * 2)


def test_train_val_and_test_are_taken_as_they_are(tmp_path: Path) -> None:
    for part, count in (("train", 5), ("val", 3), ("test", 2)):
        fill(tmp_path / part, count=count)
    dataset = open_data(f"folder:{tmp_path}")
    assert sizes(dataset) == [10, 6, 4]


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


def test_a_border_may_be_left_out_to_validate_and_to_test(tmp_path: Path) -> None:
    for name in COLOURS:
        (tmp_path / name).mkdir()
        for number in range(5):
            pixels = np.full((20, 40, 3), 100, np.uint8)
            pixels[5:15, 15:25] = 200
            pixels[0, 0] = number
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    dataset = open_data(f"folder:{tmp_path}", image_size=(10, 10), crop_pct=0.5)
    for split, shown in (("train", 100), ("validation", 200), ("test", 200)):
        assert (read(dataset, split)[0][:, 0, 0, 2:4] == shown).all(), split
    reading = Reading.of(dataset)
    assert Reading.read(reading.record()) == reading
    assert reading.crop_pct == 0.5


def test_grey_pictures_stay_grey_and_mixed_ones_become_rgb(tmp_path: Path) -> None:
    fill(tmp_path, count=5)
    for path in tmp_path.rglob("*.png"):
        Image.open(path).convert("L").save(path)
    assert open_data(f"folder:{tmp_path}").channels == 1
    fill(tmp_path, count=1)
    assert open_data(f"folder:{tmp_path}").channels == 3


def centres(dataset: Dataset) -> set[tuple[int, ...]]:
    everything = torch.cat([read(dataset, part)[0] for part in dataset.splits()])
    return {tuple(image[:, 4, 4].int().tolist()) for image in everything}


@pytest.mark.parametrize(
    ("greatest", "bits", "seen"), [(200 << 8, 16, 200), (3200, 12, 200), (200, 8, 200), (7, 8, 7)]
)
def test_sixteen_bits_are_scaled_by_the_range_in_use(
    tmp_path: Path, greatest: int, bits: int, seen: int
) -> None:
    fill(tmp_path, count=4)
    for number in range(3):
        deep = np.full((8, 8), greatest, dtype=np.uint16)
        deep[0, 0] = number
        Image.fromarray(deep).save(tmp_path / "red" / f"deep-{number}.png")
    dataset = open_data(f"folder:{tmp_path}")
    assert centres(dataset) == {*COLOURS.values(), (seen, seen, seen)}
    assert dataset.remarks == (f"with 16-bit pixels, {bits} bits in use: 3 of 11 pictures",)


def test_sixteen_bits_beyond_the_range_in_use_are_as_bright_as_can_be(tmp_path: Path) -> None:
    for part, levels in (("train", (9, 200)), ("val", (200, 256))):
        for name, level in zip(COLOURS, levels, strict=True):
            (tmp_path / part / name).mkdir(parents=True)
            deep = np.full((8, 8), level, dtype=np.uint16)
            Image.fromarray(deep).save(tmp_path / part / name / "deep.png")
    images, _ = read(open_data(f"folder:{tmp_path}"), "validation")
    assert images[:, 0, 4, 4].tolist() == [200, 255]


def see_through(mode: str, colour: tuple[int, ...] | int, alpha: int) -> Image.Image:
    picture = Image.new(mode, (8, 8), colour)
    picture.putalpha(Image.new("L", (8, 8), alpha))
    return picture


@pytest.mark.parametrize(
    ("picture", "seen"),
    [
        (see_through("RGB", (0, 0, 0), 0), (128, 128, 128)),
        (see_through("RGB", (255, 255, 255), 0), (128, 128, 128)),
        (see_through("RGB", (9, 8, 7), 255), (9, 8, 7)),
        (see_through("RGB", (255, 0, 255), 128), (192, 64, 192)),
        (see_through("L", 255, 0), (128, 128, 128)),
    ],
)
def test_transparent_pixels_show_a_background(
    tmp_path: Path, picture: Image.Image, seen: tuple[int, ...]
) -> None:
    fill(tmp_path, count=4)
    before = open_data(f"folder:{tmp_path}").digest
    opaque = seen == (9, 8, 7)
    picture.save(tmp_path / "red" / "alpha.png")
    dataset = open_data(f"folder:{tmp_path}")
    assert centres(dataset) == {*COLOURS.values(), seen}
    said = "with transparent pixels, which show a grey background: 1 of 9 pictures"
    assert dataset.remarks == (() if opaque else (said,))
    assert dataset.digest != before


def test_a_palette_may_be_transparent(tmp_path: Path) -> None:
    fill(tmp_path, count=4)
    for name, alpha in (("gone", 0), ("there", 255)):
        palette = Image.new("P", (8, 8), 3)
        palette.putpalette([0] * 9 + [9, 8, 7])
        palette.save(tmp_path / "red" / f"{name}.png", transparency=bytes([0, 1, 2, alpha]))
    assert centres(open_data(f"folder:{tmp_path}")) == {
        *COLOURS.values(),
        (128, 128, 128),
        (9, 8, 7),
    }


def test_pictures_are_turned_as_they_say(tmp_path: Path) -> None:
    fill(tmp_path, count=4, size=(8, 16), suffix="jpg")
    lying = Image.new("RGB", (16, 8), (0, 0, 0))
    lying.paste((255, 255, 255), (0, 0, 8, 8))  # its left half, which is its upper one when turned
    exif = Image.Exif()
    exif[0x0112] = 6
    lying.save(tmp_path / "red" / "lying.jpg", exif=exif)
    dataset = open_data(f"folder:{tmp_path}")
    assert dataset.image_size == (16, 8)
    images = torch.cat([read(dataset, part)[0] for part in dataset.splits()])
    turned = images[(images[:, :, 2:4, 4] > 250).all(dim=2).all(dim=1)]
    assert len(turned) == 1
    assert turned[0, :, 12, 4].max() < 5
    assert dataset.remarks == ("turned upright, as they say (EXIF orientation): 1 of 9 pictures",)


def test_frames_beyond_the_first_are_told(tmp_path: Path) -> None:
    fill(tmp_path, count=4)
    first, second = Image.new("L", (8, 8), 5), Image.new("L", (8, 8), 200)
    first.save(tmp_path / "red" / "moving.gif", save_all=True, append_images=[second])
    dataset = open_data(f"folder:{tmp_path}")
    assert (5, 5, 5) in centres(dataset)
    assert dataset.remarks == ("with further frames or pages, which are not read: 1 of 9 pictures",)


def test_pictures_of_one_colour_are_refused(tmp_path: Path) -> None:
    for part in ("train", "val"):
        for name in COLOURS:
            (tmp_path / part / name).mkdir(parents=True)
            Image.new("L", (8, 8), 0).save(tmp_path / part / name / "black.png")
    with pytest.raises(DataError, match="images to train on are of one colour"):
        open_data(f"folder:{tmp_path}")


def test_other_files_are_passed_over_and_counted(tmp_path: Path) -> None:
    fill(tmp_path, count=5, suffix="JPG")
    before = open_data(f"folder:{tmp_path}").digest
    red = tmp_path / "red"
    for name in ("notes.txt", "model.h5", "clip.mpg", "a.heic", "b.HEIC", "README"):
        (red / name).write_bytes(b"no picture")
    (red / "film.mpg").write_bytes(b"\x00\x00\x01\xb3" + bytes(60))
    (red / ".hidden.png").write_bytes(b"")
    for hidden in (red / ".ipynb_checkpoints", tmp_path / ".cache", tmp_path / "__MACOSX"):
        hidden.mkdir()
        (hidden / "copy.JPG").write_bytes((red / "000.JPG").read_bytes())
    (red / "far").symlink_to(tmp_path / "blue")
    dataset = open_data(f"folder:{tmp_path}")
    assert dataset.digest == before
    assert dataset.remarks == (
        "passed over: links to folders, red/far",
        "passed over: files that are no pictures "
        "(2 .heic, 2 .mpg, 1 without a suffix, 1 .h5, 1 .txt)",
    )


def test_pictures_are_known_by_their_content(tmp_path: Path) -> None:
    fill(tmp_path, count=5)
    (tmp_path / "red" / "000.png").rename(tmp_path / "red" / "picture")
    (tmp_path / "red" / "001.png").rename(tmp_path / "red" / "other.jpg")
    assert sizes(open_data(f"folder:{tmp_path}")) == [6, 2, 2]


def test_copies_stay_in_one_part(tmp_path: Path) -> None:
    fill(tmp_path, count=6)
    for name in COLOURS:
        for path in sorted((tmp_path / name).iterdir()):
            for copy in range(3):
                path.with_stem(f"{path.stem}-{copy}").write_bytes(path.read_bytes())
    dataset = open_data(f"folder:{tmp_path}")
    assert sizes(dataset) == [32, 8, 8]
    parts = [{tuple(i.flatten().tolist()) for i in read(dataset, p)[0]} for p in dataset.splits()]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 12
    assert dataset.remarks == ()


def test_copies_in_other_parts_and_with_other_labels_are_told(tmp_path: Path) -> None:
    for part, count in (("train", 5), ("val", 3), ("test", 2)):
        fill(tmp_path / part, count=count)
    stray = (tmp_path / "train/blue/004.png").read_bytes()
    (tmp_path / "train/red/stray.png").write_bytes(stray)
    assert open_data(f"folder:{tmp_path}").remarks == (
        "also in train: 6 of 6 different images of validation",
        "also in train: 4 of 4 different images of test",
        "also in validation: 4 of 4 different images of test",
        "under more than one label: 1 of 10 different images",
    )


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


def damage(path: Path) -> None:
    """In the middle of the pixels; its headers and its length stay."""
    content = path.read_bytes()
    begin = content.index(b"IDAT") + 6
    path.write_bytes(content[:begin] + bytes(len(content) - begin - 16) + content[-16:])


def test_a_picture_that_is_damaged_within_is_named_when_read(tmp_path: Path) -> None:
    for part, count in (("train", 3), ("val", 2), ("test", 2)):
        fill(tmp_path / part, count=count, size=(64, 64))
    damage(tmp_path / "val" / "red" / "001.png")
    with pytest.raises(DataError, match=r"001\.png cannot be decoded"):
        read(open_data(f"folder:{tmp_path}"), "validation")


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


def test_folders_beside_the_parts_are_told(tmp_path: Path) -> None:
    for part in ("train", "val", "annotations"):
        fill(tmp_path / part, count=3 if part == "train" else 2)
    found = open_data(f"folder:{tmp_path}")
    assert sizes(found) == [6, 4]
    assert found.remarks[0] == "passed over: annotations/, which are no parts"


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
    assert "has train/ but no val/ and no test/" in message("alone")
    fill(tmp_path / "untrained" / "testing", count=5)
    fill(tmp_path / "untrained" / "ships", count=5)
    assert "has testing/ but no train/" in message("untrained")
    for part in ("train", "Training", "val"):
        fill(tmp_path / "twice" / part, count=5)
    assert "Training/ and train/, which both stand for the train part" in message("twice")
    for name in ("cat", "dog"):
        fill(tmp_path / "transposed" / name / "train", count=5)
    assert "has train/ within; parts come first" in message("transposed")
    fill(tmp_path / "other" / "train", count=5)
    (fill(tmp_path / "other" / "val", count=5) / "red").rename(tmp_path / "other/val/rose")
    assert "do not have the same classes: only one of them has red, rose" in message("other")
