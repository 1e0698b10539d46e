"""The paper's own points, on a panel of their own.

Another device, batch and data set: on the axes of what was measured here they would say something
that nobody has measured.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.figure import FigureBase

from archdsl.errors import StudyError
from archdsl.reporting.formatting import drawable
from archdsl.reporting.plots import style
from archdsl.reporting.plots.labels import Label, place_labels
from archdsl.reporting.plots.points import Axis
from archdsl.reproduction.published import TABLE_5, Quantity

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


class PublishedPoint(NamedTuple):
    """One row of the paper's Table 5: in the paper's words, and both values as printed."""

    label: str
    x: float
    y: float


def published_points(x: Axis, y: Axis) -> list[PublishedPoint]:
    """The rows of Table 5 that print both objectives.

    Raises:
        StudyError: the paper does not print one of them.
    """
    for axis in (x, y):
        if axis.objective not in PRINTED:
            raise StudyError(
                f"the paper prints no {axis.objective}; its points can stand beside two of: "
                f"{', '.join(PRINTED)}"
            )
    (across, _), (up, _) = PRINTED[x.objective], PRINTED[y.objective]
    return [
        PublishedPoint(row.label, float(row.published[across]), float(row.published[up]))
        for row in TABLE_5
        if across in row.published and up in row.published
    ]


def published_heading(axis: Axis) -> str:
    """What the paper prints of an objective, with its unit."""
    return PRINTED[axis.objective][1]


def draw_published(figure: FigureBase, *, x: Axis, y: Axis) -> None:
    """Draw the panel into a part of a picture.

    Raises:
        StudyError: the paper does not print one of the objectives.
    """
    points = published_points(x, y)
    xs, ys = [p.x for p in points], [p.y for p in points]
    figure.subplots_adjust(
        left=0.80 / style.WIDTH,
        right=1 - 0.30 / style.WIDTH,
        top=1 - 0.62 / PUBLISHED_HEIGHT,
        bottom=0.72 / PUBLISHED_HEIGHT,
    )
    axes = figure.add_subplot()
    style.frame(axes)
    axes.set_facecolor("#FAF6F9")
    edge = 0.18 / style.WIDTH
    top = 1 - 0.12 / PUBLISHED_HEIGHT
    style.write(figure, edge, top, HEADING, size=10, color=style.INK, fontweight="bold", va="top")
    style.write(figure, edge, top - 0.20 / PUBLISHED_HEIGHT, SOURCE, size=8, va="top")
    style.name_axis(axes, "x", f"{published_heading(x)}, {x.better}", labelpad=6)
    style.name_axis(axes, "y", f"{published_heading(y)}, {y.better}", labelpad=6)
    style.set_scale(axes, "x", xs, unit=x.unit)
    style.set_scale(axes, "y", ys, unit=y.unit)
    style.marks(
        axes,
        xs,
        ys,
        color=style.PUBLISHED,
        size=6,
        edge=1.4,
        hollow=True,
        marker="s",
        gid="published",
        zorder=3,
    )
    place_labels(
        axes,
        [Label(text=drawable(p.label, limit=24), x=p.x, y=p.y, color=style.INK) for p in points],
        marks=np.column_stack([xs, ys]),
        lines=np.empty((0, 4)),
        toward=135.0,
    )
