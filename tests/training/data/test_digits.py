"""The embedded digits, and how a source is found."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from archdsl.errors import DataError
from archdsl.plan.read import read_model
from archdsl.training.data.dataset import Dataset, check_data
from archdsl.training.data.source import open_data
from tests.fixtures.data import ALLOWED


def raw_pixels(dataset: Dataset, split: str) -> np.ndarray:
    """The images of a split as 0-255, one row each."""
    part = getattr(dataset, split)
    images, _ = part.batch(torch.arange(len(part)))
    scale, shift = dataset.normalisation.std[0], dataset.normalisation.mean[0]
    pixels: np.ndarray = (images * scale + shift).round().to(torch.uint8).numpy()
    return pixels.reshape(len(part), -1)


def test_every_scan_is_in_exactly_one_split(digits: Dataset) -> None:
    found = np.concatenate([raw_pixels(digits, name) for name in ("train", "validation", "test")])
    scans = np.rint(load_digits().images.reshape(-1, 64) * 255 / 16).astype(np.uint8)
    assert sorted(map(bytes, found)) == sorted(map(bytes, scans))


def test_shares_are_60_20_20_in_every_class(digits: Dataset) -> None:
    assert (digits.channels, digits.image_size, digits.num_classes) == (1, (8, 8), 10)
    for part, share in ((digits.train, 0.6), (digits.validation, 0.2), (digits.test, 0.2)):
        assert abs(len(part) - share * 1797) < 5
        _, labels = part.batch(torch.arange(len(part)))
        counts = torch.bincount(labels, minlength=10)
        assert (counts / len(part) - 0.1).abs().max() < 0.01


def test_train_images_are_normalised(digits: Dataset) -> None:
    images, labels = digits.train.batch(torch.arange(len(digits.train)))
    assert images.shape == (len(digits.train), 1, 8, 8)
    assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)
    assert images.mean().abs() < 1e-4
    assert abs(images.std(correction=0) - 1) < 1e-4


def test_batches_follow_the_indices(digits: Dataset) -> None:
    every, labels = digits.test.batch(torch.arange(len(digits.test)))
    indices = torch.tensor([7, 0, 7])
    images, chosen = digits.test.batch(indices)
    assert torch.equal(images, every[indices])
    assert torch.equal(chosen, labels[indices])


def test_the_seed_decides_the_split(digits: Dataset) -> None:
    again, other = open_data("digits"), open_data("digits", split_seed=1)
    assert again.digest == digits.digest != other.digest
    assert len(digits.digest) == 16
    assert np.array_equal(raw_pixels(again, "train"), raw_pixels(digits, "train"))
    assert not np.array_equal(raw_pixels(other, "train"), raw_pixels(digits, "train"))


def test_the_split_never_moves(digits: Dataset) -> None:
    """Accuracies in a store are filed under this digest."""
    assert digits.digest == "1a6ba7f4ffe1d9e7"


def test_a_name_stands_for_a_source(digits: Dataset) -> None:
    named = open_data("scans", names={"scans": "digits"})
    assert (named.name, named.digest) == ("scans", digits.digest)


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("digts", "did you mean 'digits'?"),
        ("foldr:/x", "did you mean 'folder:DIR'?"),
        ("imagenett", "did you mean 'imagenet'?"),
        ("cifar.npz", "did you mean 'npz:cifar.npz'?"),
        ("shard.tar", "did you mean 'wds/shard.tar'?"),
        ("hfds:photos", "did you mean 'hfds/PATH'?"),
        ("npz:", "did you mean 'npz:FILE'?"),
    ],
)
def test_an_unknown_source_lists_what_is_allowed(source: str, hint: str) -> None:
    with pytest.raises(DataError) as caught:
        open_data(source, names={"imagenet": "folder:/nowhere"})
    assert f"'{source}'" in str(caught.value)
    assert f"{ALLOWED}, imagenet" in str(caught.value)
    assert hint in str(caught.value)


def test_a_name_that_leads_nowhere_is_named() -> None:
    with pytest.raises(DataError, match=r"'nowhere' \(the name 'imagenet'\)"):
        open_data("imagenet", names={"imagenet": "nowhere"})


def test_what_a_name_stands_for_is_never_a_name() -> None:
    with pytest.raises(DataError, match=f"allowed are {ALLOWED}$"):
        open_data("mine", names={"mine": "foo:bar", "other": "digits"})
    with pytest.raises(DataError, match=r"hfds/PATH$"):
        open_data("mine", names={"mine": "mine", "other": "digits"})


def test_digits_cannot_be_renamed() -> None:
    names = {"digits": "npz:other.npz", "scans": "digits"}
    with pytest.raises(DataError, match="embedded"):
        open_data("digits", names=names)
    assert open_data("scans", names=names).name == "scans", "no fault of the others"


def test_data_that_fit_pass(digits: Dataset) -> None:
    check_data(digits, read_model("vittm-digits").spec)


def test_all_disagreements_are_named_at_once(digits: Dataset) -> None:
    with pytest.raises(DataError) as caught:
        check_data(digits, read_model("vit-b-16", ["image.size=[224, 192]"]).spec)
    message = str(caught.value)
    for word, found, expected in (
        ("image.size", "8", "[224, 192]"),
        ("image.channels", "1", "3"),
        ("output.num_classes", "10", "1000"),
    ):
        assert f"{word}: the data has {found}, the document expects {expected}" in message
        assert f"set {word} to {found}" in message


def test_what_agrees_is_not_named(digits: Dataset) -> None:
    with pytest.raises(DataError) as caught:
        check_data(digits, read_model("vittm-digits", ["output.num_classes=9"]).spec)
    assert "image." not in str(caught.value)
