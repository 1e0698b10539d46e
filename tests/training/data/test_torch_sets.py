"""Data sets in the files that torchvision keeps."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from archdsl.errors import DataError
from archdsl.training.data.source import open_data
from tests.fixtures.data import sizes


def write(path: Path, values: np.ndarray) -> None:
    """In the format of MNIST."""
    header = struct.pack(f">{1 + values.ndim}I", 0x0800 + values.ndim, *values.shape)
    path.write_bytes(header + values.tobytes())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An MNIST of twenty images a digit."""
    raw, generator = tmp_path / "MNIST" / "raw", np.random.default_rng(0)
    raw.mkdir(parents=True)
    for part, count in (("train", 200), ("t10k", 20)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = generator.integers(0, 200, (count, 28, 28), dtype=np.uint8)
        images[:, 0, 0] = labels
        write(raw / f"{part}-images-idx3-ubyte", images)
        write(raw / f"{part}-labels-idx1-ubyte", labels)
    return tmp_path


def test_what_torchvision_keeps_is_read(root: Path) -> None:
    dataset = open_data(f"torch/mnist:{root}")
    assert sizes(dataset) == [180, 20, 20]
    assert (dataset.channels, dataset.image_size) == (1, (28, 28))
    assert dataset.class_names[3] == "3 - three"
    assert dataset.test is not None
    pixels, (_, labels) = (
        dataset.test.pixels(torch.arange(20)),
        dataset.test.batch(torch.arange(20)),
    )
    assert torch.equal(pixels[:, 0, 0, 0].long(), labels)
    assert dataset.sources["validation"] == "10 % of every class of its train part, by seed 0"


def test_what_is_not_there_is_not_fetched(root: Path) -> None:
    with pytest.raises(DataError, match=r"there is no whole cifar10 in .*CIFAR10\('/") as caught:
        open_data(f"torch/cifar10:{root}")
    assert "download=True" in str(caught.value)
    with pytest.raises(DataError, match="did you mean 'mnist'"):
        open_data(f"torch/mnst:{root}")
