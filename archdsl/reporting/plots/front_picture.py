"""The picture of a front as part of a page."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from archdsl.printable import clean
from archdsl.reporting.formatting import with_interval
from archdsl.reporting.front import CompleteTrial
from archdsl.reporting.plots.front_plot import groups, plot_front
from archdsl.reporting.plots.points import Axis, FrontPoint, baseline_points, points_of
from archdsl.reporting.plots.published_plot import published_heading, published_points
from archdsl.reporting.plots.svg import Tooltip, inline_svg
from archdsl.searching.baselines import MeasuredBaseline

TITLE = 0.42
"""Height of a picture's title, which a page writes itself, in inches."""
TOOLTIP_LENGTH = 300
"""Of a difference or a list of trials, in characters; the table holds the whole."""


def front_picture(
    rows: Sequence[CompleteTrial],
    *,
    x: Axis,
    y: Axis,
    title: str,
    left_out: int = 0,
    published: bool = False,
    baselines: Sequence[MeasuredBaseline] = (),
) -> Markup:
    """Draw a front; its marks say what they are.

    Args:
        rows: the trials to draw; none at all is fine.
        x: the horizontal objective.
        y: the vertical objective.
        title: one line, for those who listen; the page writes it.
        left_out: how many dominated candidates there are beside the ones to draw.
        published: with the paper's own points on a panel of their own.
        baselines: models of timm's.

    Returns:
        An `<svg>` element.
    """
    # The page itself says title, note and differences, in text that fits the reader's screen.
    plot = plot_front(
        rows,
        x=x,
        y=y,
        title="",
        note="",
        left_out=left_out,
        published=published,
        key=False,
        baselines=baselines,
    )
    marks = {
        name: [
            Tooltip(text=_describe(p, x=x, y=y), by_keyboard=p.row.member or p.row.base)
            for p in found
        ]
        for name, found in groups(points_of(rows, x=x, y=y)).items()
    }
    if others := baseline_points(baselines, x=x, y=y):
        marks["baseline"] = [
            Tooltip(
                text=f"{p.name} (baseline); {x.heading}: {with_interval(p.x)}; "
                f"{y.heading}: {with_interval(p.y)}",
                by_keyboard=True,
            )
            for p in others
        ]
    if published:
        across, up = published_heading(x), published_heading(y)
        marks["published"] = [
            Tooltip(
                text=f"{label} (published, not measured here); {across}: {x_value:g}; "
                f"{up}: {y_value:g}",
                by_keyboard=True,
            )
            for label, x_value, y_value in published_points(x, y)
        ]
    return inline_svg(plot, label=title, marks=marks, trim=TITLE)


def _describe(point: FrontPoint, *, x: Axis, y: Axis) -> str:
    """All there is to say of a point, in one line."""
    row = point.row
    role = "front" if row.member else "dominated"
    others = ", ".join(map(str, row.indistinguishable[:TOOLTIP_LENGTH]))[:TOOLTIP_LENGTH]
    parts = [
        f"{row.trial.number} ({'base, ' if row.base else ''}{role})",
        *(f"{axis.heading}: {axis.shown(row)}" for axis in (x, y)),
        f"cannot be told apart from {others}" if others else "",
        row.difference[:TOOLTIP_LENGTH],
    ]
    return clean("; ".join(part for part in parts if part))
