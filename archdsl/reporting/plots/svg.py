"""A picture as inline SVG: part of a page, with marks that say what they are."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from archdsl.printable import clean

_LINK = re.compile(r"url\(#([^)]+)\)")
_LONG_DECIMAL = re.compile(r"(\d+\.\d{2})\d+")
_PLACES = ("d", "x", "y", "transform")
"""Attributes with coordinates: a hundredth of a point is more than anyone sees."""


@dataclass(frozen=True, kw_only=True)
class Tooltip:
    """What a mark says of itself when it is pointed at.

    Args:
        text: one line.
        by_keyboard: whether the Tab key stops at it.
    """

    text: str
    by_keyboard: bool = False


def inline_svg(
    figure: Figure,
    *,
    label: str,
    marks: Mapping[str, Sequence[Tooltip]],
    described: str = "",
    trim: float = 0.0,
) -> Markup:
    """The figure as an `<svg>` element without namespaces, links or scripts.

    Args:
        figure: the picture.
        label: its name, for those who listen.
        marks: group id to what each of its marks says, in the order they were drawn; the marks of
            a line are its points, anything else is one mark.
        described: what is to be seen, in a sentence or two, for those who listen.
        trim: height to cut off at the top, in inches.
    """
    root = _bare_tree(figure, trim=trim)
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.set("role", "group")
    root.set("aria-label", clean(label))
    groups = {element.get("id"): element for element in root.iter() if element.get("id") in marks}
    for name, tooltips in marks.items():
        for mark, tooltip in zip(_marks(groups[name]), tooltips, strict=True):
            _add_tooltip(mark, tooltip)
    _drop_unused_ids(root)
    if described:
        root.insert(0, _element("desc", clean(described)))
    return Markup(ElementTree.tostring(root, encoding="unicode", short_empty_elements=False))


def _bare_tree(figure: Figure, *, trim: float) -> Element:
    width, height = figure.get_size_inches()
    shown = Bbox.from_extents(0, 0, width, height - trim)
    drawn = io.BytesIO()
    # Text stays text, for readers who search or listen; the salt makes equal figures equal files.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "archdsl"}):
        figure.savefig(
            drawn, format="svg", transparent=True, bbox_inches=shown, metadata={"Date": None}
        )
    root = ElementTree.fromstring(drawn.getvalue())
    for element in root.iter():
        for found in [child for child in element if child.tag.endswith("}metadata")]:
            element.remove(found)
        element.tag = _bare(element.tag)
        element.attrib = {_bare(name): value for name, value in element.attrib.items()}
        for name in _PLACES:
            if name in element.attrib:
                element.set(name, _LONG_DECIMAL.sub(r"\1", element.attrib[name]))
    return root


def _bare(name: str) -> str:
    """`href` for `{http://www.w3.org/1999/xlink}href`: inside a page SVG needs no namespaces."""
    return re.sub(r"^\{.*\}", "", name)


def _marks(group: Element) -> list[Element]:
    """The points of a line; the group itself where it has none. Their common style moves up."""
    points = list(group.iter("use"))
    styles = {point.get("style") for point in points}
    if not points:
        return [group]
    if len(styles) == 1:
        for point in points:
            group.set("style", point.attrib.pop("style", ""))
    return points


def _add_tooltip(mark: Element, tooltip: Tooltip) -> None:
    mark.set("class", "point")
    mark.set("role", "img")
    if tooltip.by_keyboard:
        mark.set("tabindex", "0")
    mark.insert(0, _element("title", clean(tooltip.text)))


def _element(tag: str, text: str) -> Element:
    made = Element(tag)
    made.text = text
    return made


def _drop_unused_ids(root: Element) -> None:
    """Several pictures share a page: what nothing refers to needs no name there."""
    used = set(_references(root))
    for element in root.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)


def _references(root: Element) -> Iterator[str]:
    for element in root.iter():
        if element.get("href", "").startswith("#"):
            yield element.get("href", "")[1:]
        for value in element.attrib.values():
            yield from _LINK.findall(value)
