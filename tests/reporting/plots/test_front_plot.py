"""Pictures of fronts: what can be seen on them, whatever the points are."""

from __future__ import annotations

import random
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from archdsl.errors import ArchdslError
from archdsl.reporting.front import CompleteTrial
from archdsl.reporting.plots.front_plot import plot_front
from archdsl.reporting.plots.plot_files import write_figure
from archdsl.reporting.plots.points import Axis
from tests.fixtures.complete_trials import complete

LATENCY = Axis(objective="latency", goal="minimize")
TOP1 = Axis(objective="top1", goal="maximize")
NOTE = "CPU of a test, 2 threads, float32, batch 64. Accuracy on 360 images, 1 seed."
HOSTILE = "</text><script>alert('1')</script> \"&\" $\\frac{1}{ 🚀 漢 \x00\ud800\n" * 200

FRONT = (0x00, 0x72, 0xB2)
BASE = (0xD5, 0x5E, 0x00)
DOMINATED = (0x8A, 0x90, 0x99)


def point(x: float, y: float, *, number: int = 1, **words: Any) -> CompleteTrial:
    values = {"latency": (x, x * 0.99, x * 1.01), "top1": (y, y - 1.0, y + 1.0)}
    return complete(number, values, **words)


def cloud(count: int, *, spread: float = 2.0) -> list[CompleteTrial]:
    """Random candidates, the first of them the base, with their true membership."""
    source = random.Random(0)
    values = [(spread ** source.random() * 3, source.uniform(80, 98)) for _ in range(count)]
    return [
        point(
            x,
            y,
            number=number,
            member=not any(a <= x and b >= y and (a, b) != (x, y) for a, b in values),
            base=number == 0,
        )
        for number, (x, y) in enumerate(values)
    ]


def pixels(tmp_path: Path, points: list[CompleteTrial], **texts: str) -> np.ndarray:
    """(height, width, 3): the picture as written and read back."""
    path = tmp_path / "front.png"
    asked = {"title": "Digits", "note": NOTE} | texts
    write_figure(plot_front(points, x=LATENCY, y=TOP1, **asked), path)
    with Image.open(path) as image:
        image.load()
        return np.asarray(image.convert("RGB"))


def shows(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    """A mark's worth of pixels is near the colour."""
    distance = np.abs(picture.astype(int) - np.array(colour)).max(axis=-1)
    return int((distance < 12).sum()) > 60


def test_front_base_and_dominated_are_all_seen(tmp_path: Path) -> None:
    solid = [point(1, 90), point(2, 95, member=False, base=True), point(3, 96)]
    picture = pixels(tmp_path, solid)
    assert min(picture.shape[:2]) > 600
    assert shows(picture, FRONT)
    assert shows(picture, BASE)


def test_no_points_still_make_a_picture(tmp_path: Path) -> None:
    picture = pixels(tmp_path, [])
    assert (picture != 255).any()
    assert not shows(picture, FRONT)


def test_only_dominated_points_draw_no_front(tmp_path: Path) -> None:
    picture = pixels(tmp_path, [point(n, 90 + n, member=False) for n in range(1, 9)])
    assert not shows(picture, FRONT)
    assert shows(picture, DOMINATED)


@pytest.mark.parametrize("value", [(5.0, 90.0), (0.0, 0.0), (1e-9, 1e12), (-3.0, -1.0)])
def test_one_point_without_interval(tmp_path: Path, value: tuple[float, float]) -> None:
    x, y = value
    alone = complete(1, {"latency": x, "top1": y}, difference="")
    assert shows(pixels(tmp_path, [alone]), FRONT)


def test_hostile_texts_are_drawn_as_texts(tmp_path: Path) -> None:
    points = [point(1, 90, difference=HOSTILE, base=True), point(2, 95, difference=HOSTILE)]
    picture = pixels(tmp_path, points, title=HOSTILE, note=HOSTILE)
    assert picture.shape == pixels(tmp_path, points).shape
    assert shows(picture, FRONT)


@pytest.mark.parametrize(
    ("points", "scale"),
    [([point(1, 50), point(9, 60)], "linear"), ([point(1, 2), point(90, 60)], "log")],
)
def test_only_wide_ratios_take_a_logarithmic_axis(points: list[CompleteTrial], scale: str) -> None:
    (axes,) = plot_front(points, x=LATENCY, y=TOP1, title="", note="").axes
    assert axes.get_xscale() == scale
    assert axes.get_yscale() == "linear", "a percentage is never logarithmic"


@pytest.mark.parametrize("largest", [9.5, 950.0, 99_000.0, 3.4e5, 2.6e6, 7.2e9, 1e12])
@pytest.mark.parametrize("least", [0.9, 0.01])
def test_large_values_leave_room_for_the_names_of_both_axes(least: float, largest: float) -> None:
    x, y = (Axis(objective=name, goal="minimize") for name in ("params", "macs"))
    rows = [
        complete(number, {"params": share * largest, "macs": (1 + least - share) * largest})
        for number, share in enumerate((least, (1 + least) / 2, 1.0))
    ]
    figure = plot_front(rows, x=x, y=y, title="Large", note=NOTE)
    (axes,) = figure.axes
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    whole = figure.bbox
    for name in (axes.xaxis.label, axes.yaxis.label):
        extent = name.get_window_extent(renderer)
        assert whole.x0 <= extent.x0 and extent.x1 <= whole.x1, name.get_text()
        assert whole.y0 <= extent.y0 and extent.y1 <= whole.y1, name.get_text()
    numbers = [
        each.get_window_extent(renderer) for each in axes.get_xticklabels() if each.get_text()
    ]
    assert not any(a.overlaps(b) for a, b in pairwise(numbers))


@pytest.mark.parametrize("count", [25, 300])
def test_names_cover_neither_marks_nor_each_other(count: int) -> None:
    points = cloud(count, spread=20.0)
    figure = plot_front(points, x=LATENCY, y=TOP1, title="Digits", note=NOTE)
    (axes,) = figure.axes
    names = {text.get_text(): text.get_window_extent() for text in axes.texts}
    members = {p.label for p in points if p.member and not p.base}
    assert "0 (base)" in names
    assert len(members & set(names)) >= 0.7 * len(members)
    del names["0 (base)"]  # always written, even where there is no room
    assert not any(a.overlaps(b) for a, b in combinations(names.values(), 2))
    for p in points:
        centre = axes.transData.transform((LATENCY.value(p).value, TOP1.value(p).value))
        assert not any(extent.contains(*centre) for extent in names.values())


@pytest.mark.parametrize("x_goal", ["minimize", "maximize"])
@pytest.mark.parametrize("y_goal", ["minimize", "maximize"])
def test_dominated_region_lies_on_the_worse_side(x_goal: str, y_goal: str) -> None:
    x, y = Axis(objective="latency", goal=x_goal), Axis(objective="top1", goal=y_goal)
    (axes,) = plot_front([point(5, 5), point(6, 6, member=False)], x=x, y=y, title="", note="").axes
    (region,) = axes.patches
    inside = (5.4 if x.minimize else 4.96, 5.5 if y.minimize else 4.5)
    outside = (4.96 if x.minimize else 5.4, 4.5 if y.minimize else 5.5)
    shape = region.get_path()
    assert shape.contains_point(inside)
    assert not shape.contains_point(outside)


def test_file_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "front.png"
    path.write_text("an older picture")
    pixels(tmp_path, cloud(3))
    assert [found.name for found in tmp_path.iterdir()] == ["front.png"]


@pytest.mark.parametrize("name", ["missing/front.png", ".."])
def test_unwritable_place_is_a_clear_error(tmp_path: Path, name: str) -> None:
    figure = plot_front([], x=LATENCY, y=TOP1, title="", note="")
    with pytest.raises(ArchdslError, match="cannot write"):
        write_figure(figure, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_points_that_cannot_be_told_apart_are_joined_once() -> None:
    places = [(1, 90), (1.1, 91), (5, 99)]
    alone = [point(x, y, number=n) for n, (x, y) in enumerate(places)]
    joined = [
        point(x, y, number=n, indistinguishable=others)
        for n, ((x, y), others) in enumerate(zip(places, [(1,), (0,), ()], strict=True))
    ]
    lines = {}
    for name, drawn in (("alone", alone), ("joined", joined)):
        (axes,) = plot_front(drawn, x=LATENCY, y=TOP1, title="", note="").axes
        dotted = [line for line in axes.lines if line.get_linestyle() == ":"]
        lines[name] = [np.asarray(line.get_xydata())[:2].tolist() for line in dotted]
    assert lines == {"alone": [], "joined": [[[1.0, 90.0], [1.1, 91.0]]]}


def test_of_very_many_that_are_alike_each_is_joined_to_the_next_alone() -> None:
    points = [
        point(n + 1, 90, number=n, indistinguishable=[each for each in range(100) if each != n])
        for n in range(100)
    ]
    (axes,) = plot_front(points, x=LATENCY, y=TOP1, title="", note="").axes
    [dotted] = [line for line in axes.lines if line.get_linestyle() == ":"]
    starts, ends = (np.asarray(dotted.get_xdata())[place::3] for place in (0, 1))
    assert starts.tolist() == [float(n) for n in range(1, 100)]
    assert (ends - starts).tolist() == [1.0] * 99
