"""The page of a front: parsed as a browser would, whatever the texts are."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from shutil import which

import pytest

from archdsl.report.front_plot import Axis, FrontPoint
from archdsl.report.html import write_html

LATENCY = Axis(label="latency", unit="ms per batch of 64", minimize=True)
TOP1 = Axis(label="top-1 accuracy", unit="%", minimize=False)
POINT = FrontPoint(
    label="1",
    x=5.0,
    x_low=4.9,
    x_high=5.1,
    y=90.0,
    y_low=88.0,
    y_high=91.0,
    member=True,
    base=False,
    difference="depth 12 → 8",
)
HOSTILE = [
    "</title></td></svg><script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "& &amp; $policy ${x} 🚀 漢",
    "x" * 10_000,
]
VOID = {"meta", "img", "link", "br"}


class Page(HTMLParser):
    """What a reader meets: elements, attributes and the text of each element."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "every element is closed in turn"

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def under(self, tag: str) -> str:
        return "".join(text for inside, text in self.texts if inside == tag)

    def marks(self) -> int:
        return sum(attributes.get("class") == "point" for _, attributes in self.elements)


def write(tmp_path: Path, points: list[FrontPoint], *, text: str = "Digits") -> Path:
    path = tmp_path / "front.html"
    write_html(path, points, x=LATENCY, y=TOP1, title=text, note=text)
    return path


@pytest.mark.parametrize("count", [0, 1, 200])
def test_every_point_has_a_mark_with_a_tooltip(tmp_path: Path, count: int) -> None:
    points = [
        replace(POINT, label=f"trial {n}", x=5.0 + n, member=n % 40 == 0, base=n == 1)
        for n in range(count)
    ]
    page = Page(write(tmp_path, points))
    assert page.open == []
    assert page.marks() == count
    assert all(f"trial {n} (" in page.under("title") for n in range(count))
    assert page.under("div").count("trial ") == count
    assert ("nothing measured yet" in page.under("td")) == (count == 0)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12])
def test_texts_stay_texts(tmp_path: Path, text: str) -> None:
    named = replace(POINT, label=text, difference=text)
    path = write(tmp_path, [named, replace(named, x=9.0, member=False)], text=text)
    page = Page(path)
    assert page.under("div").count(text) >= 4, "label and difference of both points, whole"
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert not any(tag in ("img", "iframe", "object", "link") for tag, _ in page.elements)
    assert not any(name.startswith("on") for _, found in page.elements for name in found)


def test_characters_no_file_can_hold_are_replaced(tmp_path: Path) -> None:
    page = Page(write(tmp_path, [replace(POINT, label="a\x00b\ud800c")], text="\x07"))
    assert "a\ufffdb\ufffdc" in page.under("div")


def test_page_loads_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, [POINT])
    text = path.read_text(encoding="utf-8")
    assert "http:" not in text
    assert "https:" not in text
    for _, found in Page(path).elements:
        assert "src" not in found
        assert (found.get("href") or "#").startswith("#")
    assert not re.search(r"url\((?!#)", text)
    assert "default-src 'none'" in text


def test_same_front_is_the_same_file(tmp_path: Path) -> None:
    first = write(tmp_path, [POINT]).read_bytes()
    assert write(tmp_path, [POINT]).read_bytes() == first


@pytest.mark.skipif(which("node") is None, reason="needs a JavaScript engine to read the script")
def test_script_is_valid(tmp_path: Path) -> None:
    script = tmp_path / "page.js"
    script.write_text(Page(write(tmp_path, [POINT])).under("script"))
    subprocess.run(["node", "--check", str(script)], check=True, timeout=30)


def test_what_cannot_be_told_apart_is_said_of_both(tmp_path: Path) -> None:
    one = replace(POINT, label="one", alike=("two",))
    other = replace(POINT, label="two", x=5.05, alike=("one",))
    page = Page(write(tmp_path, [one, other, replace(POINT, label="three", x=9.0)]))
    assert page.under("title").count("cannot be told apart from") == 2
    assert "cannot be told apart from two" in page.under("title")
    assert "not told apart from" in page.under("th")
