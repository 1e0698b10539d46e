"""The paper's own points, on a panel of their own.

Another device, batch and data set: on the axes of what was measured here they would say something
that nobody has measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import FigureBase

from archdsl.errors import StudyError
from archdsl.reporting.formatting import drawable
from archdsl.reporting.plots.labels import Label, place_labels
from archdsl.reporting.plots.plot_style import INK, PUBLISHED, QUIET, WIDTH, set_scale, style_axes
from archdsl.reporting.plots.points import Axis
from archdsl.reproduction.published import TABLE_5
from archdsl.reproduction.published_row import Quantity

PUBLISHED_HEIGHT = 3.9
"""Of the panel, in inches."""
PRINTED: dict[str, tuple[Quantity, str]] = {
    "latency": ("latency_ms", "latency (ms per batch of 256)"),
    "top1": ("top1", "ImageNet-1K top1 (%)"),
    "params": ("params_m", "parameters, used or not (M)"),
    "macs": ("gflops", "GFLOPs as printed"),
}
"""Objective to the quantity the paper prints, and its axis."""
HEADING = "Published, not measured here: A100 80 GB, batch 256, ImageNet-1K"
SOURCE = "arXiv 2409.07613, Table 5. Compare shapes with the panel above, not numbers."


@dataclass(frozen=True, kw_only=True)
class PublishedPoint:
    """One row of the paper's Table 5.

    Args:
        label: the row, in the paper's words.
        x: as printed.
        y: as printed.
        x_heading: what `x` is, with its unit.
        y_heading: what `y` is, with its unit.
    """

    label: str
    x: float
    y: float
    x_heading: str
    y_heading: str


def published_points(x: str, y: str) -> list[PublishedPoint]:
    """The rows of Table 5 that print both objectives.

    Raises:
        StudyError: the paper does not print one of them.
    """
    for name in (x, y):
        if name not in PRINTED:
            raise StudyError(
                f"the paper prints no {name}; its points can stand beside two of: "
                f"{', '.join(PRINTED)}"
            )
    (x_quantity, x_heading), (y_quantity, y_heading) = PRINTED[x], PRINTED[y]
    return [
        PublishedPoint(
            label=row.label,
            x=float(row.published[x_quantity]),
            y=float(row.published[y_quantity]),
            x_heading=x_heading,
            y_heading=y_heading,
        )
        for row in TABLE_5
        if x_quantity in row.published and y_quantity in row.published
    ]


def draw_published(
    figure: FigureBase, points: Sequence[PublishedPoint], *, x: Axis, y: Axis
) -> None:
    """Draw the panel.

    Args:
        figure: the part of a picture that becomes the panel.
        points: at least one.
        x: the horizontal objective, for its direction.
        y: the vertical objective, for its direction.
    """
    figure.subplots_adjust(
        left=0.80 / WIDTH,
        right=1 - 0.30 / WIDTH,
        top=1 - 0.62 / PUBLISHED_HEIGHT,
        bottom=0.72 / PUBLISHED_HEIGHT,
    )
    axes = figure.add_subplot()
    style_axes(axes)
    axes.set_facecolor("#FAF6F9")
    edge = 0.18 / WIDTH
    top = 1 - 0.12 / PUBLISHED_HEIGHT
    figure.text(edge, top, HEADING, fontsize=10, fontweight="bold", color=INK, va="top")
    figure.text(edge, top - 0.20 / PUBLISHED_HEIGHT, SOURCE, fontsize=8, color=QUIET, va="top")
    axes.set_xlabel(_better(points[0].x_heading, x), fontsize=10, color=INK, labelpad=6)
    axes.set_ylabel(_better(points[0].y_heading, y), fontsize=10, color=INK, labelpad=6)
    set_scale(axes, "x", [p.x for p in points], unit=x.unit)
    set_scale(axes, "y", [p.y for p in points], unit=y.unit)
    axes.plot(
        [p.x for p in points],
        [p.y for p in points],
        gid="published",
        marker="s",
        markersize=6,
        markerfacecolor="white",
        markeredgecolor=PUBLISHED,
        markeredgewidth=1.4,
        linestyle="none",
        zorder=3,
    )
    place_labels(
        axes,
        [Label(text=drawable(p.label, limit=24), x=p.x, y=p.y, color=INK) for p in points],
        marks=np.array([(p.x, p.y) for p in points]),
        lines=np.empty((0, 4)),
        toward=135.0,
    )


def _better(heading: str, axis: Axis) -> str:
    return f"{heading}, {'lower' if axis.minimize else 'higher'} is better"
