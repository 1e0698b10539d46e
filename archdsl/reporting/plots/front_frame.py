"""What stands around the points of a front: title, axes, legend, names, and the key below."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from archdsl.reporting.formatting import drawable
from archdsl.reporting.plots.labels import Boxes, Label, place_labels
from archdsl.reporting.plots.plot_style import (
    BASE,
    DOMINATED,
    FRONT,
    INK,
    QUIET,
    WIDTH,
    sample,
    style_axes,
)
from archdsl.reporting.plots.points import Axis, FrontPoint, best_first

HEIGHT = 5.3
"""Of the picture, in inches."""
LABEL_LENGTH, TITLE_LENGTH, NOTE_LENGTH = 24, 84, 420
"""In characters; longer texts are shortened in the picture."""
MOST_MEMBERS = 12
LINE, HEAD = 0.165, 0.3
"""Height of a line, and of the heading with the air around all, in inches."""
LINE_LENGTH, LONGEST = 118, 300
"""In characters."""
HEADING = "differs from the base in"


def write_frame(figure: FigureBase, axes: Axes, *, x: Axis, y: Axis, title: str, note: str) -> None:
    lines = textwrap.wrap(drawable(note, limit=NOTE_LENGTH), width=124)
    left, right, top = 0.80 / WIDTH, 1 - 0.30 / WIDTH, 1 - 0.88 / HEIGHT
    bottom = (0.78 + 0.165 * len(lines)) / HEIGHT
    figure.subplots_adjust(left=left, right=right, top=top, bottom=bottom)
    edge = 0.18 / WIDTH
    figure.text(
        edge,
        1 - 0.20 / HEIGHT,
        drawable(title, limit=TITLE_LENGTH),
        fontsize=13,
        fontweight="bold",
        color=INK,
        va="top",
        parse_math=False,
    )
    figure.text(
        edge,
        0.14 / HEIGHT,
        "\n".join(lines),
        fontsize=8,
        color=QUIET,
        va="bottom",
        linespacing=1.45,
        parse_math=False,
    )
    for axis, write in ((x, axes.set_xlabel), (y, axes.set_ylabel)):
        better = "lower" if axis.minimize else "higher"
        heading = f"{drawable(axis.heading, limit=60)}, {better} is better"
        write(heading, fontsize=10, color=INK, labelpad=6, parse_math=False)
    style_axes(axes)


def write_empty(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.text(
        0.5,
        0.5,
        "nothing measured yet",
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=12,
        color=QUIET,
    )


def write_legend(
    figure: FigureBase, groups: Mapping[str, Sequence[FrontPoint]], *, left_out: int
) -> None:
    """Above the picture, where it covers nothing; only what there is to see."""
    points = [point for found in groups.values() for point in found]
    members = sum(p.member for p in points)
    dominated = len(groups.get("dominated", ()))
    handles: list[Line2D | Patch] = []
    if members:
        handles.append(sample(FRONT, f"front ({members})", line="-"))
    if "base" in groups or "base-front" in groups:
        handles.append(sample(BASE, "base", marker="D", hollow="base" in groups))
    if dominated:
        count = f"{dominated} of {dominated + left_out} drawn" if left_out else f"{dominated}"
        handles.append(sample(DOMINATED, f"dominated ({count})"))
    if members:
        handles.append(Patch(color=FRONT, alpha=0.1, linewidth=0, label="dominated region"))
    if any(p.x_low < p.x_high or p.y_low < p.y_high for p in points):
        handles.append(sample(QUIET, "95 % interval", marker="", line="-"))
    if any(p.indistinguishable for p in points):
        handles.append(sample(INK, "not told apart", marker="", line=":"))
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.10 / WIDTH, 1 - 0.47 / HEIGHT),
        ncols=len(handles),
        frameon=False,
        fontsize=9,
        labelcolor=QUIET,
        handlelength=1.6,
        columnspacing=1.6,
        borderpad=0.2,
    )


def write_labels(
    axes: Axes, points: Sequence[FrontPoint], steps: Boxes, *, x: Axis, y: Axis
) -> None:
    """Name the base and the members, away from the dominated region."""
    named = [p for p in points if p.base] + best_first(
        (p for p in points if p.member and not p.base), axis=x
    )
    labels = [
        Label(
            text=drawable(p.label, limit=LABEL_LENGTH) + (" (base)" if p.base else ""),
            x=p.x,
            y=p.y,
            color=BASE if p.base else INK,
            required=p.base,
        )
        for p in named
    ]
    intervals = [(p.x_low, p.y, p.x_high, p.y) for p in named]
    intervals += [(p.x, p.y_low, p.x, p.y_high) for p in named]
    place_labels(
        axes,
        labels,
        marks=np.array([(p.x, p.y) for p in points]),
        lines=np.vstack([steps, np.reshape(intervals, (-1, 4))]),
        toward=math.degrees(math.atan2(-1 if y.minimize else 1, -1 if x.minimize else 1)),
    )


def key_lines(points: Sequence[FrontPoint]) -> list[str]:
    """A line or two for each of the first members; none without a base to differ from."""
    members = [p for p in points if p.member and p.difference]
    found: list[str] = []
    for point in members[:MOST_MEMBERS]:
        label = drawable(point.label, limit=LABEL_LENGTH)
        line = f"{label}:  {drawable(point.difference, limit=LONGEST)}"
        found += textwrap.wrap(line, width=LINE_LENGTH, subsequent_indent="      ")
    if len(members) > MOST_MEMBERS:
        found.append(f"and {len(members) - MOST_MEMBERS} more members")
    return found


def key_height(lines: Sequence[str]) -> float:
    """Of the panel, in inches; 0 when there is nothing to say."""
    return HEAD + LINE * len(lines) if lines else 0.0


def write_key(figure: FigureBase, lines: Sequence[str]) -> None:
    """Write the lines into a panel of `key_height`."""
    height, edge = key_height(lines), 0.18 / WIDTH
    figure.text(edge, 1, HEADING, fontsize=8, fontweight="bold", color=INK, va="top")
    for place, line in enumerate(lines, start=1):
        top = 1 - LINE * place / height
        figure.text(edge, top, line, fontsize=8, color=QUIET, va="top", parse_math=False)
