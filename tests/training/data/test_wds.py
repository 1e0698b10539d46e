"""WebDataset shards."""

from __future__ import annotations

import gzip
import io
import itertools
import os
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from archdsl.errors import DataError
from archdsl.training.data.source import open_data
from tests.fixtures.data import png, shades, sizes

LONG_AGO = itertools.count(1_600_000_000)
"""When each shard was written."""
Members = dict[str, bytes]


def samples(shades: range, *, label: str = "cls") -> Members:
    """A picture of each shade, of classes by odd and even."""
    found = {}
    for shade in shades:
        found[f"{shade:03}.png"] = png(shade)
        found[f"{shade:03}.{label}"] = str(shade % 2).encode()
    return found


def write(path: Path, members: Members) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    time = next(LONG_AGO)
    os.utime(path, (time, time))
    return path


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Three shards of two parts, whose classes have names."""
    write(tmp_path / "set-train-000.tar", samples(range(8)))
    write(tmp_path / "set-train-001.tar", samples(range(8, 12)))
    write(tmp_path / "set-val-000.tar", samples(range(20, 24)))
    (tmp_path / "classes.txt").write_text("even\nodd\nvoid\n")
    return tmp_path


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        open_data(f"wds/{path}")
    return str(caught.value)


def test_shards_are_read_by_place_and_in_parts(shards: Path) -> None:
    dataset = open_data(f"wds/{shards}")
    assert (sizes(dataset), dataset.class_names) == ([12, 4], ("even", "odd"))
    assert dataset.sources["train"] == "set-train-000.tar, set-train-001.tar"
    assert [*shades(dataset, "train")] == [(shade, shade % 2) for shade in range(12)]
    assert [*shades(dataset, "validation")] == [(shade, shade % 2) for shade in range(20, 24)]
    assert dataset.remarks == ("passed over: 1 class without a picture (void)",)


def test_folders_are_parts_and_a_pattern_is_cut_into_them(shards: Path) -> None:
    cut = open_data(f"wds/{shards}/*-train-*.tar")
    assert (sizes(cut), cut.sources["test"]) == ([8, 2, 2], "20 % of every class, by seed 0")
    assert sizes(open_data(f"wds/{shards}/set-train-000.tar")) == [4, 2, 2]
    for part in ("train", "Validation"):
        write(shards / "two" / part / "000.tar", samples(range(6)))
    assert sizes(open_data(f"wds/{shards}/two")) == [6, 6]
    write(shards / "set-extra.tar", samples(range(4)))
    write(shards / "more" / "000.tar", samples(range(4)))
    told = open_data(f"wds/{shards}").remarks[0]
    assert told == "passed over: more/, set-extra.tar, which are of no part"


@pytest.mark.parametrize(
    ("word", "values", "names"),
    [
        ("cls", ["3", "12"], ("3", "12")),
        ("txt", ["3\n", "12\n"], ("3", "12")),
        ("json", ['{"label": 12, "url": "x"}', '{"class": "3"}'], ("3", "12")),
    ],
)
def test_labels_may_be_numbers_in_several_forms(
    tmp_path: Path, word: str, values: list[str], names: tuple[str, ...]
) -> None:
    members = samples(range(12), label=word)
    for shade in range(12):
        members[f"{shade:03}.{word}"] = values[shade % 2].encode()
    assert open_data(f"wds/{write(tmp_path / '0.tar', members)}").class_names == names


def test_texts_are_classes_only_where_they_are_listed(tmp_path: Path) -> None:
    members = samples(range(12), label="txt")
    for shade in range(12):
        members[f"{shade:03}.txt"] = b"cat" if shade % 2 else b"dog"
    path = write(tmp_path / "0.tar", members)
    assert "label 'cat' is no number, and no classes.txt beside" in refused(path)
    (tmp_path / "classes.txt").write_text("dog\ncat\n")
    assert open_data(f"wds/{path}").class_names == ("dog", "cat")
    members["000.txt"] = b"a photograph of a dog on a lawn in the sun " * 5
    assert f"{path / '000.png'} has no label" in refused(write(path, members))


def test_a_shard_is_looked_through_once(shards: Path) -> None:
    first = open_data(f"wds/{shards}")
    path = shards / "set-train-000.tar"
    time = path.stat().st_mtime
    with path.open("r+b") as file:
        file.write(bytes(tarfile.BLOCKSIZE))  # the header of the first member
    os.utime(path, (time, time))
    assert open_data(f"wds/{shards}").digest == first.digest
    os.utime(path, (time + 0.5, time + 0.5))
    assert f"{path}: nothing in it is called a picture" in refused(shards)
    changed = open_data(f"wds/{write(path, samples(range(30, 38))).parent}")
    assert changed.digest != first.digest
    assert next(shades(changed, "train")) == (30, 0)


def test_what_is_beside_the_pictures_is_counted(tmp_path: Path) -> None:
    members = samples(range(12))
    members |= {f"{shade:03}.json": b"{}" for shade in range(12)}
    members |= {"000.depth.npy": b"", "README": b"", "._000.png": b"", ".cache/000.png": b""}
    before = open_data(f"wds/{write(tmp_path / '0.tar', samples(range(12)))}")
    dataset = open_data(f"wds/{write(tmp_path / '0.tar', members)}")
    assert dataset.digest == before.digest
    assert dataset.remarks == (
        "passed over: files that are no pictures (12 .json, 1 .npy, 1 without a suffix)",
    )


def test_faults_of_pictures_are_told_as_of_files(shards: Path) -> None:
    members = samples(range(8))
    stream = io.BytesIO()
    Image.new("LA", (8, 8), (0, 0)).save(stream, "png")
    members["000.png"] = stream.getvalue()
    members["001.png"] = png(21)
    write(shards / "set-train-000.tar", members)
    told = open_data(f"wds/{shards}").remarks
    assert "with transparent pixels, which show a grey background: 1 of 16 pictures" in told
    assert "also in train: 1 of 4 different images of validation" in told
    members["003.png"] = b"no picture"
    broken = write(shards / "set-train-000.tar", members)
    assert f"{broken / '003.png'} cannot be decoded (it holds no picture)" in refused(shards)
    dataset = open_data(f"wds/{shards}", broken="skip")
    assert sizes(dataset) == [11, 4]
    members["003.png"] = png(3, size=(64, 64))[:60]
    write(shards / "set-train-000.tar", members)
    with pytest.raises(DataError, match=r"set-train-000.tar/003.png cannot be decoded"):
        open_data(f"wds/{shards}", image_size=(8, 8))


def test_shards_that_cannot_be_used(tmp_path: Path) -> None:
    path = write(tmp_path / "0.tar", samples(range(12)))
    whole = path.read_bytes()
    for length in (1024, 5000, len(whole) - tarfile.RECORDSIZE):
        path.write_bytes(whole[:length])
        assert f"{path} is no whole tar archive" in refused(path)
    path.write_bytes(b"no archive" * 200)
    assert f"{path} is no whole tar archive" in refused(path)
    for nothing in (bytes(tarfile.RECORDSIZE), b""):
        path.write_bytes(nothing)
        assert str(path) in refused(path)
    for name in ("0.tar", "1.tar.gz"):
        (tmp_path / name).write_bytes(gzip.compress(whole))
        told = refused(tmp_path / name)
        assert "is compressed, so that nothing in it can be read by its place" in told
        assert told.endswith(f"unpack it: gunzip {tmp_path / name}")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"000.cls": b""}, "0.tar/000.png has no label that can be read"),
        ({"000.cls": b"-1"}, "label '-1' is no class; numbers begin with 0"),
        ({"000.cls": b"cat"}, "label 'cat' is no number"),
        (
            {"000.png": b"1", "000.jpg": b"2"},
            "000.png and 000.jpg are two pictures of one sample; leave one",
        ),
    ],
)
def test_mistakes_in_samples(tmp_path: Path, members: Members, message: str) -> None:
    path = write(tmp_path / "0.tar", samples(range(12)) | members)
    assert message in refused(path)


def test_labels_that_nobody_can_tell(tmp_path: Path) -> None:
    path = write(tmp_path / "0.tar", {f"a/{shade}.png": png(shade) for shade in range(12)})
    assert "nothing in it says the class of a picture" in refused(path)
    write(path, samples(range(12), label="txt") | samples(range(12), label="json"))
    assert ".json, .txt may each say the class" in refused(path)
    (tmp_path / "classes.txt").write_text("even\n")
    write(path, samples(range(12)))
    assert "label '1' is none of the 1 classes" in refused(path)
    (tmp_path / "classes.txt").write_text("same\nsame\n")
    assert "two classes are called 'same'" in refused(path)


def test_parts_that_cannot_be_told(shards: Path) -> None:
    (shards / "set-val-000.tar").rename(shards / "set-train-val.tar")
    assert "set-train-val.tar may be of train and of validation; rename it" in refused(shards)
    (shards / "set-train-val.tar").unlink()
    told = refused(shards)
    assert "has files of train but none of validation or test" in told
    assert sizes(open_data(told.rpartition(": ")[2])) == [8, 2, 2]
    for path in shards.glob("*.tar"):
        path.rename(path.with_name(path.name.replace("train", "test")))
    assert "has files of test but none of train" in refused(shards)
    (shards / "classes.txt").unlink()
    write(shards / "train.tar", samples(range(0, 20, 2)) | {"021.png": png(5), "021.cls": b"2"})
    assert "the train part has no picture of 1" in refused(shards)


def test_nothing_is_fetched(tmp_path: Path) -> None:
    for place in ("https://example.org/train-000.tar", tmp_path / "gone", tmp_path):
        assert "nothing is fetched: wds/PATH is a folder of tar archives" in refused(Path(place))
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub" / "a-0.tar", samples(range(12)))
    assert "name one of sub/" in refused(tmp_path)
    assert "write * for what is in braces" in refused(tmp_path / "sub" / "a-{0..3}.tar")
    with pytest.raises(DataError, match="tfds/mnist takes TensorFlow to read; write its pictures"):
        open_data("tfds/mnist")
