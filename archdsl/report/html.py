"""The front as one self-contained page: the picture with its points to touch, and its table."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.figure import Figure

from archdsl.files import write_whole
from archdsl.report.front_plot import plot_front, point_id
from archdsl.report.page import PAGE, SCRIPT, STYLE
from archdsl.report.points import Axis, FrontPoint, best_first
from archdsl.report.text import clean, with_interval

TOOLTIP_LENGTH = 300
"""Of a label or a difference, in characters; the table holds the whole."""


def write_html(
    path: str | Path,
    points: Sequence[FrontPoint],
    *,
    x: Axis,
    y: Axis,
    title: str,
    note: str,
) -> None:
    """Write the page, whole or not at all. It loads nothing and shows every text as text.

    Args:
        path: the file; one that is there is replaced.
        points: all candidates that have both values; none at all is fine.
        x: the horizontal objective.
        y: the vertical objective.
        title: one line.
        note: device and conditions of the values, in words.

    Raises:
        WriteError: the folder is missing or refuses the file.
    """
    # The page itself says title and note, in text that fits the reader's screen.
    figure = plot_front(points, x=x, y=y, title="", note="")
    front = best_first((p for p in points if p.member or p.base), axis=x)
    others = best_first((p for p in points if not (p.member or p.base)), axis=x)
    rest = _table(others, x=x, y=y, caption=f"Dominated ({len(others)})") if others else ""
    page = Template(PAGE).substitute(
        policy=_policy(),
        style=STYLE,
        script=SCRIPT,
        title=escape(clean(title)),
        note=escape(clean(note)),
        picture=_picture(figure, points, x=x, y=y, title=title),
        front=_table(front, x=x, y=y, caption="The front and the base"),
        rest=f"<details><summary>Dominated candidates</summary>{rest}</details>" if rest else "",
    )
    write_whole(path, page.encode())


def _policy() -> str:
    """Let the page's own style and script run and nothing else, should a text ever be markup."""
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _describe(point: FrontPoint, *, x: Axis, y: Axis) -> str:
    """All there is to say of a point, in one line."""
    role = "front" if point.member else "dominated"
    parts = [
        f"{point.label[:TOOLTIP_LENGTH]} ({'base, ' if point.base else ''}{role})",
        f"{x.heading}: {with_interval(point.x, point.x_low, point.x_high)}",
        f"{y.heading}: {with_interval(point.y, point.y_low, point.y_high)}",
        f"cannot be told apart from {_listed(point)}" if point.alike else "",
        point.difference[:TOOLTIP_LENGTH],
    ]
    return clean("; ".join(part for part in parts if part))


def _listed(point: FrontPoint) -> str:
    return ", ".join(point.alike)[:TOOLTIP_LENGTH]


def _picture(figure: Figure, points: Sequence[FrontPoint], *, x: Axis, y: Axis, title: str) -> str:
    """The figure as inline SVG whose points carry their descriptions; no namespaces, no links."""
    drawn = io.BytesIO()
    # Text stays text, for readers who search or listen; the salt makes equal fronts equal files.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "archdsl"}):
        figure.savefig(
            drawn, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None}
        )
    root = ElementTree.fromstring(drawn.getvalue())
    for element in root.iter():
        for found in [child for child in element if child.tag.endswith("}metadata")]:
            element.remove(found)
        element.tag = _bare(element.tag)
        element.attrib = {_bare(name): value for name, value in element.attrib.items()}
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.set("role", "group")
    root.set("aria-label", clean(title))
    marks = {element.get("id"): element for element in root.iter()}
    for index, point in enumerate(points):
        mark = marks[point_id(index)]
        mark.set("class", "point")
        mark.set("role", "img")
        if point.member or point.base:
            mark.set("tabindex", "0")
        tooltip = ElementTree.Element("title")
        tooltip.text = _describe(point, x=x, y=y)
        mark.insert(0, tooltip)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)


def _bare(name: str) -> str:
    """`href` for `{http://www.w3.org/1999/xlink}href`: inside a page SVG needs no namespaces."""
    return re.sub(r"^\{.*\}", "", name)


def _table(points: Iterable[FrontPoint], *, x: Axis, y: Axis, caption: str) -> str:
    rows = [
        f'<tr class="{"base" if p.base else "member" if p.member else "dominated"}">'
        f'<th scope="row"><div>{escape(clean(p.label))}{" (base)" if p.base else ""}</div></th>'
        f"<td>{with_interval(p.x, p.x_low, p.x_high)}</td>"
        f"<td>{with_interval(p.y, p.y_low, p.y_high)}</td>"
        f"<td>{'yes' if p.member else 'no'}</td>"
        f"<td><div>{escape(clean(', '.join(p.alike))) or '–'}</div></td>"
        f"<td><div>{escape(clean(p.difference)) or '–'}</div></td></tr>"
        for p in points
    ]
    names = (
        *("candidate", x.heading, y.heading, "on the front"),
        *("not told apart from", "differs from the base in"),
    )
    heads = "".join(f'<th scope="col">{escape(clean(name))}</th>' for name in names)
    body = "\n".join(rows) or f'<tr><td colspan="{len(names)}">nothing measured yet</td></tr>'
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>\n{body}\n</tbody></table></div>"
    )
