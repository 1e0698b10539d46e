"""The front as a picture: one objective against the other, with 95 % intervals."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from archdsl.files import write_whole
from archdsl.report.labels import Boxes, Label, place_labels
from archdsl.report.points import Axis, FrontPoint, best_first
from archdsl.report.text import drawable, plain_number

__all__ = ["Axis", "FrontPoint", "plot_front", "point_id", "write_png"]

# Okabe and Ito's colours, told apart with every kind of colour vision; shapes differ as well.
FRONT = "#0072B2"
BASE = "#D55E00"
DOMINATED = "#8A9099"
INK = "#1F2328"
QUIET = "#59636E"
GRID = "#E4E7EB"

WIDTH, HEIGHT = 8.4, 5.3
"""Of the picture, in inches."""
DPI = 200
LOG_RATIO = 10.0
"""An axis whose largest value is more than this many times its smallest is logarithmic."""
LABEL_LENGTH, TITLE_LENGTH, NOTE_LENGTH = 24, 84, 420
"""In characters; longer texts are shortened in the picture."""


def plot_front(points: Sequence[FrontPoint], *, x: Axis, y: Axis, title: str, note: str) -> Figure:
    """Draw candidates, their intervals and the front with the region it dominates.

    Args:
        points: all candidates that have both values; none at all is fine.
        x: the horizontal objective.
        y: the vertical objective.
        title: one line.
        note: device and conditions of the values, in words; stands below the picture.
    """
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _write_frame(figure, axes, x=x, y=y, title=title, note=note)
    if not points:
        _write_empty(axes)
        return figure
    _set_limits(axes, points, x=x, y=y)
    steps = _draw_front(axes, points, x=x, y=y)
    _join_alike(axes, points)
    for index, point in enumerate(points):
        _draw_point(axes, point, gid=point_id(index), crowded=len(points) > 80)
    _write_legend(figure, points)
    _write_labels(axes, points, steps, x=x, y=y)
    return figure


def write_png(figure: Figure, path: str | Path) -> None:
    """Write the picture, whole or not at all.

    Raises:
        WriteError: the folder is missing or refuses the file.
    """
    content = io.BytesIO()
    figure.savefig(content, format="png")
    write_whole(path, content.getvalue())


def point_id(index: int) -> str:
    """The name under which a point's mark is found in the picture's SVG."""
    return f"point-{index}"


def _write_frame(figure: Figure, axes: Axes, *, x: Axis, y: Axis, title: str, note: str) -> None:
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
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#AFB8C1")
    axes.tick_params(colors=QUIET, labelsize=9, length=3, color="#AFB8C1", which="both")
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)


def _write_empty(axes: Axes) -> None:
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


def _set_limits(axes: Axes, points: Sequence[FrontPoint], *, x: Axis, y: Axis) -> None:
    """Every point and interval inside, with air; each axis linear or logarithmic by its values."""
    x_values = [value for p in points for value in (p.x_low, p.x, p.x_high)]
    y_values = [value for p in points for value in (p.y_low, p.y, p.y_high)]
    for axis, values, ticks, set_scale, set_limits in (
        (x, x_values, axes.xaxis, axes.set_xscale, axes.set_xlim),
        (y, y_values, axes.yaxis, axes.set_yscale, axes.set_ylim),
    ):
        low, high = min(values), max(values)
        # A percentage is bounded on both sides: the distance to neither bound is a ratio.
        if axis.unit != "%" and low > 0 and high / low > LOG_RATIO:
            set_scale("log")
            margin = (high / low) ** 0.08
            set_limits(low / margin, high * margin)
            ticks.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ticks.set_minor_formatter(NullFormatter())
        else:
            margin = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
            set_limits(low - margin, high + margin)
            ticks.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 2.5, 5, 10]))
        ticks.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))


def _draw_front(axes: Axes, points: Sequence[FrontPoint], *, x: Axis, y: Axis) -> Boxes:
    """The staircase of the members and what lies behind it.

    Returns:
        Its segments, (segments, 4): x0, y0, x1, y1 in data coordinates.
    """
    members = best_first((p for p in points if p.member), axis=x)
    if not members:
        return np.empty((0, 4))
    x_worst = axes.get_xlim()[1 if x.minimize else 0]
    y_worst = axes.get_ylim()[1 if y.minimize else 0]
    corners = [(members[0].x, y_worst), (members[0].x, members[0].y)]
    for before, member in pairwise(members):
        corners += [(member.x, before.y), (member.x, member.y)]
    corners.append((x_worst, members[-1].y))
    xs, ys = zip(*corners, strict=True)
    axes.fill([*xs, x_worst], [*ys, y_worst], color=FRONT, alpha=0.055, linewidth=0, zorder=1)
    axes.plot(xs, ys, color=FRONT, linewidth=1.2, alpha=0.5, solid_joinstyle="miter", zorder=3)
    return np.array([(*start, *end) for start, end in pairwise(corners)])


def _join_alike(axes: Axes, points: Sequence[FrontPoint]) -> None:
    """A dotted line between any two points that cannot be told apart."""
    places = {p.label: (p.x, p.y) for p in points if p.alike}
    lines = [
        (places[p.label], places[other])
        for p in points
        for other in p.alike
        if other in places and p.label < other
    ]
    axes.add_collection(
        LineCollection(lines, colors=INK, linestyles=":", linewidths=1.1, alpha=0.8, zorder=3.5),
        autolim=False,
    )


def _draw_point(axes: Axes, point: FrontPoint, *, gid: str, crowded: bool) -> None:
    color = BASE if point.base else FRONT if point.member else DOMINATED
    known = point.member or point.base
    axes.errorbar(
        point.x,
        point.y,
        xerr=[[max(0.0, point.x - point.x_low)], [max(0.0, point.x_high - point.x)]],
        yerr=[[max(0.0, point.y - point.y_low)], [max(0.0, point.y_high - point.y)]],
        fmt="none",
        ecolor=color,
        elinewidth=1.3 if known else 0.6,
        alpha=0.75 if known else 0.12 if crowded else 0.35,
        zorder=3 if known else 2,
    )
    axes.plot(
        [point.x],
        [point.y],
        gid=gid,
        marker="D" if point.base else "o",
        markersize=7.5 if point.base else 6.5 if point.member else 4.5,
        markerfacecolor="white" if point.base and not point.member else color,
        markeredgecolor=color if point.base and not point.member else "white",
        markeredgewidth=1.6 if point.base and not point.member else 0.8,
        alpha=1.0 if known else 0.45 if crowded else 0.7,
        linestyle="none",
        zorder=5 if point.base else 4 if known else 2,
    )


def _write_legend(figure: Figure, points: Sequence[FrontPoint]) -> None:
    """Above the picture, where it covers nothing; only what there is to see."""
    members = [point for point in points if point.member]
    bases = [point for point in points if point.base]
    dominated = sum(not point.member and not point.base for point in points)
    handles: list[Line2D | Patch] = []
    if members:
        handles.append(_sample(FRONT, f"front ({len(members)})", line="-"))
    if bases:
        handles.append(_sample(BASE, "base", marker="D", hollow=not any(p.member for p in bases)))
    if dominated:
        handles.append(_sample(DOMINATED, f"dominated ({dominated})"))
    if members:
        handles.append(Patch(color=FRONT, alpha=0.1, linewidth=0, label="dominated region"))
    if any(p.x_low < p.x_high or p.y_low < p.y_high for p in points):
        handles.append(_sample(QUIET, "95 % interval", marker="", line="-"))
    if any(p.alike for p in points):
        handles.append(_sample(INK, "not told apart", marker="", line=":"))
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


def _sample(
    color: str,
    label: str,
    *,
    marker: Literal["o", "D", ""] = "o",
    line: Literal["-", ":", "none"] = "none",
    hollow: bool = False,
) -> Line2D:
    """One entry of the legend."""
    sample = Line2D([], [], color=color, label=label, marker=marker or "none", linestyle=line)
    sample.set(markersize=6, linewidth=1.2, markerfacecolor="white" if hollow else color)
    return sample


def _write_labels(
    axes: Axes,
    points: Sequence[FrontPoint],
    steps: Boxes,
    *,
    x: Axis,
    y: Axis,
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
