"""Drawings of networks: every document of the shelf, odd ones, and whatever a name may be."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from archdsl.document.shelves import names
from archdsl.document.text import read_text
from archdsl.plan.plan import Plan
from archdsl.plan.read import check_model, read_model
from archdsl.reporting.drawing.diagram import diagram_svg
from archdsl.reporting.drawing.diagram_text import diagram_text

SVG = "{http://www.w3.org/2000/svg}"
SHELF = names("specs")
BASE = """\
archdsl: 1
name: base
image: {size: 32, channels: 3}
depth: 3
process:
  embed: {type: patch, patch_size: 8}
  dim: 64
  block: {type: transformer, head_dim: 16}
memory:
  embed: {type: patch, patch_size: 4}
exchange:
  read: {type: linear_attention, latent_ratio: 0.25}
  write: {type: linear_attention, latent_ratio: 0.25}
output: {num_classes: 10}
"""
LINEAR = "{type: linear_attention, latent_ratio: 0.25}"
ODD = {
    "other layers": f"""
depth: 14
layers:
  - {{at: {{every: 3}}, exchange: {{read: null}}}}
  - {{at: {{last: 2}}, process: {{blocks: 4}}}}
  - {{at: [5], process: {{block: null}}, exchange: {{read: null, write: null}}}}
  - {{at: [0], exchange: {{write: {LINEAR[:-1]}, fusion: erase}}}}}}
""",
    "at once": f"""
exchange:
  order: [[read, write], [process, memory]]
  norm: {{placement: pre}}
  read: {{type: token_summary, fusion: add_erase}}
  write: {LINEAR[:-1]}, fusion: {{type: add_erase, gate: per_layer}}}}
""",
    "read beside memory": f"""
memory: {{embed: {{type: patch, patch_size: 4}}, block: {{type: mlp, mlp_ratio: 1}}}}
exchange:
  order: [[read, memory], write, process]
  norm: {{placement: none}}
  read: {LINEAR}
  write: {{type: latent_attention, latent_ratio: 0.25, weights: shared}}
""",
    "learned": """
process:
  embed: {type: learned, num_tokens: 3}
  dim: 64
  block: {type: transformer, head_dim: 16, layer_scale: 1.0e-6, weights: shared}
output: {num_classes: 1, streams: [process]}
""",
    "long numbers": """
image: {size: [4096, 8192], channels: 1024}
process:
  embed: {type: downsample, grid: [256, 512], method: bilinear}
  dim: 4096
  block: {type: transformer, num_heads: 1024, mlp_ratio: 64}
  blocks: 64
memory: {embed: {type: conv_stem, strides: [2, 2, 1, 1, 1, 1], kernels: [63, 63, 9, 9, 9, 9]},
         prefix_tokens: [cls, distillation]}
output: {num_classes: 65536, pool: {memory: cls}, streams: [memory]}
""",
}
HOSTILE = [
    "</title></svg><script>alert(1)</script>",
    "\"'><image href=x onerror=alert(1)>",
    "& &amp; ]]> <!-- 🚀 漢字 \x00\x1b[31m\ud800\uffff",
    "x" * 10_000,
    "漢" * 10_000,
    " ",
]


def plan_of(text: str) -> Plan:
    document = {**yaml.safe_load(BASE), **yaml.safe_load(text)}
    return check_model(read_text(yaml.safe_dump(document), source="odd")).plan


def plans() -> Iterator[tuple[str, Plan]]:
    yield from ((name, read_model(name).plan) for name in SHELF)
    yield from ((name, plan_of(text)) for name, text in ODD.items())


PLANS = dict(plans())


@dataclass(frozen=True)
class Area:
    left: float
    top: float
    right: float
    bottom: float

    def holds(self, other: Area) -> bool:
        across = self.left <= other.left and other.right <= self.right
        return across and self.top <= other.top and other.bottom <= self.bottom

    def meets(self, other: Area) -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


def area_of(rect: ElementTree.Element) -> Area:
    x, y, width, height = (float(rect.get(key, "0")) for key in ("x", "y", "width", "height"))
    return Area(x, y, x + width, y + height)


def area_of_text(text: ElementTree.Element) -> Area:
    """At least as large as any browser draws it: 0.6 of its size for each letter."""
    assert text.text
    size = float(text.get("font-size", ""))
    letters = sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in text.text)
    width = 0.6 * size * letters
    x, y = float(text.get("x", "")), float(text.get("y", ""))
    left = x - width / 2 if text.get("text-anchor") == "middle" else x
    return Area(left, y - 0.8 * size, left + width, y + 0.2 * size)


def drawn(plan: Plan, name: str = "a name") -> ElementTree.Element:
    return ElementTree.fromstring(diagram_svg(plan, name=name))


def panels(root: ElementTree.Element) -> list[tuple[Area, list[Area]]]:
    """All panels but the frames around layers, and the texts in each."""
    return [
        (area_of(group[0]), [area_of_text(text) for text in group.findall(f"{SVG}text")])
        for group in root.findall(f"{SVG}g")
        if group.get("class") != "archdsl-frame"
    ]


def texts(root: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_nothing_covers_anything(plan: Plan) -> None:
    root = drawn(plan)
    whole = Area(0, 0, float(root.get("width", "")), float(root.get("height", "")))
    found = panels(root)
    assert len(found) >= 6
    for panel, inside in found:
        assert whole.holds(panel)
        assert inside
        assert all(panel.holds(text) for text in inside)
        assert not any(one.meets(other) for one, other in itertools.combinations(inside, 2))
    for (one, _), (other, _) in itertools.combinations(found, 2):
        assert not one.meets(other)
    for label in root.findall(f"{SVG}text"):
        area = area_of_text(label)
        assert whole.holds(area)
        assert not any(panel.meets(area) for panel, _ in found)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_wires_stay_inside_and_labels_stay_free_of_them(plan: Plan) -> None:
    root = drawn(plan)
    whole = Area(0, 0, float(root.get("width", "")), float(root.get("height", "")))
    labels = [area_of_text(label) for label in root.findall(f"{SVG}text")]
    for wire in root.findall(f"{SVG}polyline"):
        points = [tuple(map(float, each.split(","))) for each in wire.get("points", "").split()]
        for (x0, y0), (x1, y1) in itertools.pairwise(points):
            assert x0 == x1 or y0 == y1, "wires are straight"
            line = Area(min(x0, x1), min(y0, y1), max(x0, x1) + 0.1, max(y0, y1) + 0.1)
            assert whole.holds(line)
            assert not any(label.meets(line) for label in labels)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_it_says_what_is_there(plan: Plan) -> None:
    said = texts(drawn(plan))
    for name, stream in plan.streams.items():
        assert name in said
        assert said.count(f"{stream.tokens} tokens × {stream.dim}") >= 2
    depth = len(plan.layers)
    assert any(re.search(rf"\b{depth - 1}\b", text) for text in said if text.startswith("layer"))
    lines = "\n".join(diagram_text(plan))
    for name, stream in plan.streams.items():
        assert name in lines
        assert f"{stream.tokens} tokens × {stream.dim}" in lines


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_terminal(plan: Plan) -> None:
    lines = diagram_text(plan)
    assert max(map(len, lines)) <= 98
    assert not any("\xa0" in line or line != line.rstrip() for line in lines)
    plain = diagram_text(plan, plain=True)
    assert all(line.isascii() for line in plain)
    assert [len(line) for line in plain] == [len(line) for line in lines]
    edges = [line for line in lines if line.startswith("│")]
    assert len({len(line) for line in edges}) <= 1, "the frame is straight"


def test_repeats_are_folded() -> None:
    said = texts(drawn(PLANS["vittm-b-32-16"]))
    assert "layers 0–11, × 12" in said
    assert said.count("read: linear attention") == 1
    said = texts(drawn(PLANS["other layers"]))
    assert "layers 6–11: these 3, × 2" in said
    assert [text for text in said if "of these" in text] == ["1–2 of these 3", "3 of these 3"]
    assert "nothing happens here" in said
    assert "transformer block, × 4" in said


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (
            "vittm-b-32-16",
            ["patches of 32 × 32", "192 latent channels", "answer: classifier memory"],
        ),
        ("lookupvit-b-10", ["averaged to 10 × 10", "write: tied attention", "one for all layers"]),
        ("crossvit-18-dagger", ["3 convolutions", "both from one state", "answer: their mean"]),
        (
            "rev-vit-b",
            ["copy of process", "read: self-attention", "write: MLP", "classifier concat"],
        ),
        ("deit-b-16-distilled", ["classifier distillation", "distillation token"]),
        ("at once", ["read: token summary", "add and erase by a gate"]),
    ],
)
def test_words(name: str, wanted: list[str]) -> None:
    said = texts(drawn(PLANS[name]))
    assert all(text in said for text in wanted), said


def test_one_stream_has_one_lane() -> None:
    one, two = drawn(PLANS["vit-b-16"]), drawn(PLANS["vittm-b-32-16"])
    assert float(one.get("width", "")) < float(two.get("width", ""))
    assert "memory" not in texts(one)


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name[:12]))
def test_names_stay_text(name: str) -> None:
    root = drawn(PLANS["vittm-digits"], name)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "title", "desc", "style", "rect", "g", "text", "polyline", "polygon"}
    assert not any(
        key.startswith("on") or "href" in key for each in root.iter() for key in each.attrib
    )
    heading = root.find(f"{SVG}text")
    assert heading is not None
    if name.strip():
        assert area_of_text(heading).right <= float(root.get("width", ""))
        title = root.findtext(f"{SVG}title")
        assert title
        assert len(title) <= 300


def test_it_stands_alone_and_beside_itself() -> None:
    """No scripts, nothing fetched, no ids that a second drawing on the page would repeat."""
    text = diagram_svg(PLANS["vittm-b-32-16"], name="alone")
    assert "url(" not in text
    assert "@import" not in text
    assert text.count("http") == 1, "only the namespace"
    assert " id=" not in text
    assert set(re.findall(r'class="([^" ]+)', text)) == set(
        re.findall(r'class="(archdsl-[^" ]+)', text)
    )
    assert diagram_svg(PLANS["vittm-b-32-16"], name="alone") == text
    assert len(text) < 20_000


def test_the_drawing_in_the_readme_is_what_the_command_draws() -> None:
    page = Path(__file__).parents[3] / "docs" / "images" / "vittm-b-32-16.svg"
    drawing = diagram_svg(PLANS["vittm-b-32-16"], name="vittm-b-32-16")
    assert page.read_text(encoding="utf-8") == drawing, (
        "draw it again: archdsl show vittm-b-32-16 --diagram docs/images/vittm-b-32-16.svg --force"
    )


def test_listeners_are_told_it_all() -> None:
    root = drawn(PLANS["crossvit-18"])
    assert root.get("role") == "img"
    told = root.findtext(f"{SVG}desc") or ""
    for part in (
        "process: patches of 16",
        "layers 0–2",
        "from the same state",
        "classifier memory",
    ):
        assert part in told.replace("\xa0", " "), told


def test_dark_only_on_screens() -> None:
    style = drawn(PLANS["vit-b-16"]).findtext(f"{SVG}style") or ""
    assert "@media screen and (prefers-color-scheme:dark)" in style
    light, dark = style.split("@media", 1)
    assert len(re.findall("#[0-9a-f]{6}", light)) == len(re.findall("#[0-9a-f]{6}", dark))


def contrast(one: str, other: str) -> float:
    """Of two colours, as WCAG 2 has it."""

    def luminance(colour: str) -> float:
        channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("part", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_on_every_ground(part: int) -> None:
    style = (drawn(PLANS["vit-b-16"]).findtext(f"{SVG}style") or "").split("@media", 1)[part]
    [ink] = re.findall(r"archdsl-text\]\{fill:(#\w+)", style)
    grounds = re.findall(r"rect\{fill:(#\w+)", style) + re.findall(r"ground\{fill:(#\w+)", style)
    assert len(grounds) == 8
    assert all(contrast(ink, ground) >= 7 for ground in grounds)
