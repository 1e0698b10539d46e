"""CSV files that list pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from archdsl.errors import DataError
from archdsl.training.data.source import open_data
from tests.fixtures.data import sizes


@pytest.fixture(autouse=True)
def pictures(tmp_path: Path) -> None:
    """Twenty pictures whose shade is their number."""
    (tmp_path / "in").mkdir()
    for number in range(20):
        Image.new("L", (8, 8), number).save(tmp_path / "in" / f"{number}.png")


def write(folder: Path, *lines: str) -> str:
    (folder / "list.csv").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    return f"csv:{folder / 'list.csv'}"


def listed(*, split: bool = False) -> list[str]:
    """All pictures, of classes by odd and even; the last ones of other parts."""
    parts = ["train"] * 14 + ["Val"] * 4 + ["testing"] * 2
    return [
        f"in/{n}.png,{'odd' if n % 2 else 'even'}{',' + parts[n] if split else ''}"
        for n in range(20)
    ]


def test_parts_are_cut_or_as_they_are_listed(tmp_path: Path) -> None:
    cut = open_data(write(tmp_path, "filename,Class", *listed()))
    assert (cut.class_names, sizes(cut)) == (("even", "odd"), [12, 4, 4])
    given = open_data(write(tmp_path, "file,label,split", *listed(split=True)))
    assert (sizes(given), given.sources["validation"]) == ([14, 4, 2], "split validation")
    assert given.digest != cut.digest
    images, labels = given.test.batch(torch.arange(2)) if given.test else ((), ())
    shades = images * given.normalisation.std[0] + given.normalisation.mean[0]
    assert shades[:, 0, 0, 0].round().tolist() == [18, 19]
    assert labels.tolist() == [0, 1]


def test_numbers_are_in_their_order(tmp_path: Path) -> None:
    lines = [f"in/{n}.png,{9 + n % 3}" for n in range(20)]
    assert open_data(write(tmp_path, "file,label", *lines)).class_names == ("9", "10", "11")


def test_files_are_known_by_their_content(tmp_path: Path) -> None:
    source = write(tmp_path, "file,label", *listed())
    before = open_data(source).digest
    Image.new("L", (8, 8), 99).save(tmp_path / "in" / "3.png")
    assert open_data(source).digest != before


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["file,kind", *listed()], "no column label (or class, class_name); its first line is"),
        (["file,path,label", *listed()], "two columns for file"),
        (["file,label", *listed(), "in/3.png"], "line 22: 1 cell, but 2 columns"),
        (["file,label", *listed(), "in/99.png,odd"], "99.png cannot be read: No such file"),
        (["file,label", *listed(), ",odd", "in/3.png,"], "line 22: no file\n  line 23: no label"),
        (["file,label,split", *listed(split=True), "in/3.png,odd,hold"], "split 'hold' is none of"),
        (["file,label,split", "in/1.png,odd,val", "in/2.png,even,val"], "no row is of split train"),
        (["file,label", "in/1.png,odd"], "at least two classes are needed"),
        (["file,label"], "at least two classes are needed"),
        (["file,label", *listed(), "list.csv,odd"], "line 22: "),
        (["file,label,split", *listed(split=True)[:19]], "the test part has no picture of odd"),
    ],
)
def test_mistakes_are_told_by_line(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(DataError) as caught:
        open_data(write(tmp_path, *lines))
    assert message in str(caught.value)


def test_what_is_no_list(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        open_data(f"csv:{tmp_path / 'gone.csv'}")
    (tmp_path / "list.csv").write_bytes(b"file,label\n\xff,a\n")
    with pytest.raises(DataError, match="is no CSV file in UTF-8"):
        open_data(f"csv:{tmp_path / 'list.csv'}")
    with pytest.raises(DataError, match=r"did you mean 'csv:list\.csv'"):
        open_data("list.csv")
