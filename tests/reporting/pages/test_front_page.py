"""The page of a front: parsed as a browser would, whatever the texts are."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from archdsl.reporting.front import CompleteTrial
from archdsl.reporting.pages.front_page import write_html
from archdsl.reporting.plots.points import Axis
from tests.fixtures.complete_trials import complete

LATENCY = Axis(objective="latency", goal="minimize")
TOP1 = Axis(objective="top1", goal="maximize")


def point(number: int = 1, *, x: float = 5.0, **words: Any) -> CompleteTrial:
    values = {"latency": (x, x - 0.1, x + 0.1), "top1": (90.0, 88.0, 91.0)}
    return complete(number, values, **words)


POINT = point()
HOSTILE = [
    "</title></td></svg><script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "& &amp; $policy ${x} 🚀 漢",
    "x" * 10_000,
]
Parse = Callable[[str], Any]


def write(tmp_path: Path, points: list[CompleteTrial], *, text: str = "Digits") -> Path:
    path = tmp_path / "front.html"
    write_html(path, points, x=LATENCY, y=TOP1, title=text, note=text)
    return path


@pytest.mark.parametrize("count", [0, 1, 200])
def test_every_point_has_a_mark_with_a_tooltip(parse: Parse, tmp_path: Path, count: int) -> None:
    points = [
        point(n, x=5.0 + n, member=n % 40 == 0, base=n == 1, difference=f"words of {n}")
        for n in range(count)
    ]
    page = parse(write(tmp_path, points).read_text())
    assert page.marks() == count
    assert all(f"{n} (" in page.under("title") for n in range(count))
    assert page.under("div").count("words of ") == count
    assert ("nothing measured yet" in page.under("td")) == (count == 0)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12])
def test_texts_stay_texts(parse: Parse, tmp_path: Path, text: str) -> None:
    points = [point(difference=text), point(2, x=9.0, member=False, difference=text)]
    path = write(tmp_path, points, text=text)
    page = parse(path.read_text())
    assert page.under("div").count(text) >= 2, "differences of both points, whole"
    page.assert_harmless()


def test_characters_no_file_can_hold_are_replaced(parse: Parse, tmp_path: Path) -> None:
    page = parse(write(tmp_path, [point(difference="a\x00b\ud800c")], text="\x07").read_text())
    assert "a\ufffdb\ufffdc" in page.under("div")


def test_brackets_are_explained_where_there_are_any(parse: Parse, tmp_path: Path) -> None:
    exact = complete(1, {"latency": (5.0, 5.0, 5.0), "top1": (90.0, 90.0, 90.0)})
    for points, explained in (([exact], False), ([exact, POINT], True)):
        assert ("In brackets" in parse(write(tmp_path, points).read_text()).text) == explained


def test_page_loads_nothing(parse: Parse, tmp_path: Path) -> None:
    path = write(tmp_path, [POINT])
    text = path.read_text(encoding="utf-8")
    assert "http:" not in text
    assert "https:" not in text
    parse(text).assert_harmless()
    assert not re.search(r"url\((?!#)", text)
    assert "default-src 'none'" in text


def test_same_front_is_the_same_file(tmp_path: Path) -> None:
    first = write(tmp_path, [POINT]).read_bytes()
    assert write(tmp_path, [POINT]).read_bytes() == first


@pytest.mark.skipif(which("node") is None, reason="needs a JavaScript engine to read the script")
def test_script_is_valid(parse: Parse, tmp_path: Path) -> None:
    script = tmp_path / "page.js"
    script.write_text(parse(write(tmp_path, [POINT]).read_text()).under("script"))
    subprocess.run(["node", "--check", str(script)], check=True, timeout=30)


def test_what_cannot_be_told_apart_is_said_of_both(parse: Parse, tmp_path: Path) -> None:
    alike = [point(1, indistinguishable=(2,)), point(2, x=5.05, indistinguishable=(1,))]
    page = parse(write(tmp_path, [*alike, point(3, x=9.0)]).read_text())
    assert page.under("title").count("cannot be told apart from") == 2
    assert "cannot be told apart from 2" in page.under("title")
    assert "not told apart from" in page.under("th")
