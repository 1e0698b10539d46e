"""NumPy archives, whole and broken."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from archdsl.errors import DataError
from archdsl.training.data.source import open_data
from tests.fixtures.data import sizes

Arrays = dict[str, np.ndarray]
Write = Callable[[Arrays], Path]


def test_validation_is_cut_from_every_class(arrays: Arrays, npz: Write) -> None:
    dataset = open_data(f"npz:{npz(arrays)}")
    assert (dataset.channels, dataset.image_size, dataset.num_classes) == (3, (8, 8), 3)
    assert sizes(dataset) == [54, 6, 9]
    _, labels = dataset.validation.batch(torch.arange(6))
    assert torch.bincount(labels).tolist() == [2, 2, 2]


def test_own_validation_is_kept(arrays: Arrays, npz: Write) -> None:
    arrays |= {"x_val": arrays["x_test"][:5], "y_val": arrays["y_test"][:5]}
    dataset = open_data(f"npz:{npz(arrays)}")
    assert sizes(dataset) == [60, 5, 9]


def test_validation_alone_is_validation(arrays: Arrays, npz: Write) -> None:
    arrays |= {"x_val": arrays.pop("x_test"), "y_val": arrays.pop("y_test")}
    dataset = open_data(f"npz:{npz(arrays)}")
    assert (sizes(dataset), dataset.test) == ([60, 9], None)
    assert dataset.sources == {"train": "x_train", "validation": "x_val"}


def test_a_training_part_alone_is_cut_in_three(arrays: Arrays, npz: Write) -> None:
    del arrays["x_test"], arrays["y_test"]
    dataset = open_data(f"npz:{npz(arrays)}")
    assert sizes(dataset) == [36, 12, 12]
    assert dataset.sources["test"] == "20 % of every class of x_train, by seed 0"


def test_copies_stay_in_one_part_and_those_of_other_parts_are_told(
    arrays: Arrays, npz: Write
) -> None:
    arrays["x_train"][30:] = arrays["x_train"][:30]
    arrays["x_test"][:2] = arrays["x_train"][:2]
    dataset = open_data(f"npz:{npz(arrays)}")
    assert sizes(dataset) == [54, 6, 9]
    pixels = [split.batch(torch.arange(len(split)))[0] for split in dataset.splits().values()]
    train, validation, _ = ({image.numpy().tobytes() for image in part} for part in pixels)
    assert not train & validation
    assert dataset.remarks == ["also in train: 2 of 9 different images of test"]


def test_images_of_one_colour_are_refused(arrays: Arrays, npz: Write) -> None:
    arrays["x_train"][:] = 7
    with pytest.raises(DataError, match=r"too few different images"):
        open_data(f"npz:{npz(arrays)}")
    arrays |= {"x_val": arrays["x_test"], "y_val": arrays["y_test"]}
    with pytest.raises(DataError, match=r"images to train on are of one colour \(level 7, 7, 7"):
        open_data(f"npz:{npz(arrays)}")


def test_each_channel_has_its_own_normalisation(arrays: Arrays, npz: Write) -> None:
    arrays["x_train"] = arrays["x_train"] // np.array([1, 2, 255], dtype=np.uint8)
    arrays["x_train"][..., 2] = 7
    dataset = open_data(f"npz:{npz(arrays)}")
    images, _ = dataset.train.batch(torch.arange(len(dataset.train)))
    assert images.mean(dim=(0, 2, 3)).abs().max() < 1e-4
    assert torch.allclose(images[:, :2].std(dim=(0, 2, 3), correction=0), torch.ones(2), atol=1e-4)
    assert images[:, 2].abs().max() == 0


def test_grey_images(arrays: Arrays, npz: Write) -> None:
    arrays |= {key: arrays[key][..., 0] for key in ("x_train", "x_test")}
    assert open_data(f"npz:{npz(arrays)}").channels == 1


def test_a_relative_file_starts_at_the_current_folder(
    arrays: Arrays, npz: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(npz(arrays).parent)
    assert sizes(open_data("npz:data.npz")) == [54, 6, 9]


def change_pixel(arrays: Arrays) -> None:
    arrays["x_test"][0, 0, 0, 0] ^= 1


def change_label(arrays: Arrays) -> None:
    arrays["y_train"][0] = 2


def swap_images(arrays: Arrays) -> None:
    arrays["x_train"][[0, 1]] = arrays["x_train"][[1, 0]]


@pytest.mark.parametrize("change", [change_pixel, change_label, swap_images])
def test_the_digest_sees_every_change(
    arrays: Arrays, npz: Write, change: Callable[[Arrays], None]
) -> None:
    before = open_data(f"npz:{npz(arrays)}").digest
    assert open_data(f"npz:{npz(arrays)}").digest == before
    assert open_data(f"npz:{npz(arrays)}", split_seed=1).digest != before
    change(arrays)
    assert open_data(f"npz:{npz(arrays)}").digest != before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y_test": None}, "x_test stands alone; x_test and y_test come together"),
        ({"x_val": np.zeros((2, 8, 8, 3), np.uint8)}, "x_val stands alone"),
        ({"x_train": np.zeros((60, 8, 8, 3))}, "x_train is float64 of shape (60, 8, 8, 3)"),
        ({"x_train": np.zeros((60, 8, 8, 4), np.uint8)}, "expected uint8 (count, height, width)"),
        ({"x_test": np.zeros((0, 8, 8, 3), np.uint8)}, "x_test is uint8 of shape (0, 8, 8, 3)"),
        ({"y_train": np.zeros((60, 1), int)}, "expected whole numbers (count,)"),
        ({"y_train": np.zeros(60)}, "y_train is float64"),
        ({"x_test": np.zeros((9, 9, 8, 3), np.uint8)}, "x_test holds images of shape (9, 8, 3)"),
        ({"y_train": np.arange(59) % 3}, "60 images but y_train 59 labels"),
        ({"y_test": np.full(9, 5)}, "y_test has label 5, which y_train never has"),
        ({"y_test": np.full(9, -1)}, "y_test has label -1"),
        ({"y_train": np.arange(60) % 3 + 1}, "count from 0 without gaps"),
        ({"y_train": np.zeros(60, int), "y_test": np.zeros(9, int)}, "only one class"),
        ({"y_train": np.array([0, 1, *[2] * 58])}, "give at least 2 to '0' (1), '1' (1)"),
        ({"y_train": np.array([{}] * 60)}, "y_train cannot be read"),
    ],
)
def test_a_wrong_archive_says_what_is_wrong(
    arrays: Arrays, npz: Write, changed: dict[str, Any], message: str
) -> None:
    contents = {key: value for key, value in (arrays | changed).items() if value is not None}
    path = npz(contents)
    with pytest.raises(DataError) as caught:
        open_data(f"npz:{path}")
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_all_problems_come_at_once(arrays: Arrays, npz: Write) -> None:
    del arrays["x_train"]
    arrays["y_train"] = np.zeros(60)
    with pytest.raises(DataError, match=r"(?s)x_train is missing.*y_train is float64"):
        open_data(f"npz:{npz(arrays)}")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 cut off", b"\x93NUMPY"])
def test_a_file_that_is_no_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is not a NumPy archive"):
        open_data(f"npz:{path}")


def test_a_single_array_is_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "data.npy"
    np.save(path, np.zeros(3))
    with pytest.raises(DataError, match="is not a NumPy archive"):
        open_data(f"npz:{path}")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.npz: there is no such file"):
        open_data(f"npz:{tmp_path / 'gone.npz'}")


def test_what_unpacks_to_more_than_memory_is_not_unpacked(
    arrays: Arrays, npz: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = npz(arrays)
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (10000000000000, 8, 8, 3), }"
    claim = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + header.ljust(117).encode() + b"\n"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x_val.npy", claim)
        archive.writestr("y_val.npy", claim)
    with pytest.raises(DataError) as caught:
        open_data(f"npz:{path}")
    message = str(caught.value)
    assert "y_val is uint8 of shape (10000000000000, 8, 8, 3); expected whole numbers" in message
    assert "it unpacks to 3840000.0 GB, most of it x_val of shape (10000000000000, 8" in message
    path = npz(arrays)
    monkeypatch.setattr("archdsl.training.data.npz.free_memory", lambda: 20_000)
    with monkeypatch.context() as patch:
        patch.setattr(np.lib.npyio.NpzFile, "__getitem__", lambda *_: pytest.fail("unpacked"))
        with pytest.raises(DataError, match=r"twice that is needed, and 0\.0 GB of memory"):
            open_data(f"npz:{path}")
    monkeypatch.setattr("archdsl.training.data.npz.free_memory", lambda: 30_000)
    assert len(open_data(f"npz:{path}").test) == 9
