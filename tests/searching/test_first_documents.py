"""A first model for images of any size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archdsl.document.tree import tree_of
from archdsl.errors import DataError
from archdsl.plan.read import check_model, read_model
from archdsl.searching.first_documents import (
    SIZES,
    are_small_pictures,
    fitting_model,
    fitting_size,
)


@given(
    unit=st.integers(2, 28),
    rows=st.integers(2, 12),
    columns=st.integers(2, 12),
    channels=st.sampled_from([1, 3]),
)
def test_a_model_fits_images_of_its_size(unit: int, rows: int, columns: int, channels: int) -> None:
    size = (unit * rows, unit * columns)
    document = fitting_model("a", image_size=size, channels=channels, num_classes=7)
    plan = check_model(tree_of(document, source="a")).plan
    assert plan.image == (channels, *size)
    process, memory = plan.streams["process"].tokens, plan.streams["memory"].tokens
    assert process <= memory <= 1024


def test_cifar_s_pictures_get_the_network_that_was_measured_on_them() -> None:
    document = fitting_model("a", image_size=(32, 32), channels=3, num_classes=10)
    plan = check_model(tree_of(document, source="a")).plan
    assert plan.arch_id == read_model("vittm-cifar").plan.arch_id


@pytest.mark.parametrize(
    ("size", "memory", "process"),
    [
        ((24, 24), (8, 8), (4, 4)),
        ((28, 28), (7, 7), (4, 4)),
        ((40, 60), (10, 15), (5, 8)),
        ((48, 48), (8, 8), (4, 4)),
        ((64, 64), (8, 8), (4, 4)),
    ],
)
def test_small_pictures_of_other_sizes_get_about_as_many_tokens(
    size: tuple[int, int], memory: tuple[int, int], process: tuple[int, int]
) -> None:
    assert are_small_pictures(size)
    document = fitting_model("a", image_size=size, channels=1, num_classes=3)
    plan = check_model(tree_of(document, source="a")).plan
    assert (plan.streams["memory"].grid, plan.streams["process"].grid) == (memory, process)


@pytest.mark.parametrize("size", [(8, 8), (23, 23), (25, 25), (32, 96)])
def test_other_images_are_no_small_pictures(size: tuple[int, int]) -> None:
    assert not are_small_pictures(size)


@pytest.mark.parametrize(("height", "width"), [(53, 37), (1, 1), (2, 1009)])
def test_images_that_no_patches_divide_are_refused(height: int, width: int) -> None:
    with pytest.raises(DataError, match=f"images of {height} x {width} pixels: square patches"):
        fitting_model("a", image_size=(height, width), channels=1, num_classes=2)


@pytest.mark.parametrize(
    ("smallest", "largest", "expected"),
    [
        ((28, 28), (28, 28), (28, 28)),
        ((96, 64), (96, 64), (96, 64)),
        ((480, 640), (480, 640), (224, 224)),
        ((20, 30), (24, 24), (32, 32)),
        ((100, 120), (400, 300), (160, 160)),
        ((10, 10), (4000, 3000), (160, 160)),
    ],
)
def test_pictures_are_brought_to_what_most_of_them_have(
    smallest: tuple[int, int], largest: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert fitting_size(smallest, largest) == expected
    assert expected[0] in (*SIZES, *smallest)
