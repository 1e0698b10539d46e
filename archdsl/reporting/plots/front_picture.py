"""The picture of a front as part of a page, and its tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archdsl.reporting.markup import boxed, table, text
from archdsl.reporting.plots.front_plot import groups, plot_front
from archdsl.reporting.plots.points import Axis, FrontPoint, best_first
from archdsl.reporting.plots.published_plot import HEADING, PublishedPoint
from archdsl.reporting.plots.svg import Told, inline_svg
from archdsl.reporting.text import clean, with_interval
from archdsl.reporting.wording import listed

TITLE = 0.42
"""Height of a picture's title, which a page writes itself, in inches."""
TOOLTIP_LENGTH = 300
"""Of a label or a difference, in characters; the table holds the whole."""


def front_picture(
    points: Sequence[FrontPoint],
    *,
    x: Axis,
    y: Axis,
    title: str,
    left_out: int = 0,
    published: Sequence[PublishedPoint] = (),
) -> str:
    """Draw a front; its marks say what they are.

    Args:
        points: the candidates to draw, each with both values; none at all is fine.
        x: the horizontal objective.
        y: the vertical objective.
        title: one line, for those who listen; the page writes it.
        left_out: how many dominated candidates there are beside the ones to draw.
        published: of the paper, drawn on a panel of their own.

    Returns:
        An `<svg>` element.
    """
    # The page itself says title, note and differences, in text that fits the reader's screen.
    plot = plot_front(
        points, x=x, y=y, title="", note="", left_out=left_out, published=published, key=False
    )
    marks = {
        name: [Told(text=_describe(p, x=x, y=y), by_keyboard=p.member or p.base) for p in found]
        for name, found in groups(points).items()
    }
    if published:
        marks["published"] = [Told(text=_cite(p), by_keyboard=True) for p in published]
    return inline_svg(plot, label=title, marks=marks, trim=TITLE)


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
    return ", ".join(map(str, point.alike[:TOOLTIP_LENGTH]))[:TOOLTIP_LENGTH]


def _cite(point: PublishedPoint) -> str:
    return (
        f"{point.label} (published, not measured here); {point.x_heading}: {point.x:g}; "
        f"{point.y_heading}: {point.y:g}"
    )


def front_table(points: Iterable[FrontPoint], *, x: Axis, y: Axis, caption: str) -> str:
    """The points, from the best horizontal value to the worst."""
    ordered = best_first(points, axis=x)
    rows = [
        (
            f"<div>{text(p.label)}{' (base)' if p.base else ''}</div>",
            with_interval(p.x, p.x_low, p.x_high),
            with_interval(p.y, p.y_low, p.y_high),
            "yes" if p.member else "no",
            boxed(listed(p.alike) or "–"),
            boxed(p.difference or "–"),
        )
        for p in ordered
    ]
    names = (
        *("candidate", x.heading, y.heading, "on the front"),
        *("not told apart from", "differs from the base in"),
    )
    kinds = ["base" if p.base else "member" if p.member else "dominated" for p in ordered]
    if not rows:
        return table(names[:2], [("–", "nothing measured yet")], caption=caption)
    return table(names, rows, caption=caption, kinds=kinds)


def published_table(points: Sequence[PublishedPoint]) -> str:
    """What the paper prints."""
    rows = [(text(p.label), f"{p.x:g}", f"{p.y:g}") for p in points]
    heads = ("published", points[0].x_heading, points[0].y_heading)
    return table(heads, rows, caption=f"{HEADING} (arXiv 2409.07613, Table 5)")
