"""The picture of a front as part of a page."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from archdsl.reporting.formatting import clean, with_interval
from archdsl.reporting.plots.front_plot import groups, plot_front
from archdsl.reporting.plots.points import Axis, FrontPoint
from archdsl.reporting.plots.published_plot import PublishedPoint
from archdsl.reporting.plots.svg import Tooltip, inline_svg

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
) -> Markup:
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
        name: [Tooltip(text=_describe(p, x=x, y=y), by_keyboard=p.member or p.base) for p in found]
        for name, found in groups(points).items()
    }
    if published:
        marks["published"] = [Tooltip(text=_cite(p), by_keyboard=True) for p in published]
    return inline_svg(plot, label=title, marks=marks, trim=TITLE)


def _describe(point: FrontPoint, *, x: Axis, y: Axis) -> str:
    """All there is to say of a point, in one line."""
    role = "front" if point.member else "dominated"
    parts = [
        f"{point.label[:TOOLTIP_LENGTH]} ({'base, ' if point.base else ''}{role})",
        f"{x.heading}: {with_interval(point.x, point.x_low, point.x_high)}",
        f"{y.heading}: {with_interval(point.y, point.y_low, point.y_high)}",
        f"cannot be told apart from {_listed(point)}" if point.indistinguishable else "",
        point.difference[:TOOLTIP_LENGTH],
    ]
    return clean("; ".join(part for part in parts if part))


def _listed(point: FrontPoint) -> str:
    return ", ".join(map(str, point.indistinguishable[:TOOLTIP_LENGTH]))[:TOOLTIP_LENGTH]


def _cite(point: PublishedPoint) -> str:
    return (
        f"{point.label} (published, not measured here); {point.x_heading}: {point.x:g}; "
        f"{point.y_heading}: {point.y:g}"
    )
