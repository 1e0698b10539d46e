"""Folders of pictures keep their digests, and with them all that was measured on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from archdsl.training.data.source import open_data


def fill(folder: Path, *, count: int, shade: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("RGB", (6, 5), (number, shade, 7)).save(folder / f"{number}.bmp")


def parts(root: Path) -> None:
    for part, count in (("train", 5), ("val", 3), ("test", 2)):
        for shade, name in enumerate(("blue", "red")):
            fill(root / part / name, count=count, shade=40 * shade + count)


def whole(root: Path) -> None:
    for shade, name in enumerate(("a", "a.b", "é")):
        fill(root / name, count=4, shade=shade)
        fill(root / name / "in" / "ner", count=3, shade=99 + shade)


def given_test(root: Path) -> None:
    for shade, name in enumerate(("blue", "red")):
        fill(root / "train" / name, count=20, shade=shade)
        fill(root / "test" / name, count=2, shade=90 + shade)


@pytest.mark.parametrize(
    ("make", "seed", "digest"),
    [
        (parts, 0, "9ebb609429454c11"),
        (parts, 1, "9ebb609429454c11"),
        (whole, 0, "eff30fe28f8753d6"),
        (whole, 1, "f9bc7bff1bfa8828"),
        (given_test, 0, "84f359931757d3b1"),
        (given_test, 1, "17747992475c7c22"),
    ],
)
def test_a_folder_keeps_its_digest(
    tmp_path: Path, make: Callable[[Path], None], seed: int, digest: str
) -> None:
    make(tmp_path)
    found = open_data(f"folder:{tmp_path}", split_seed=seed, image_size=(5, 6))
    assert found.digest == digest
