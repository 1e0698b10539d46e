"""The front as a picture: one objective against the other, with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, FigureBase

from archdsl.reporting.plots.front_frame import (
    HEIGHT,
    key_height,
    key_lines,
    write_empty,
    write_frame,
    write_key,
    write_labels,
    write_legend,
)
from archdsl.reporting.plots.labels import Boxes
from archdsl.reporting.plots.plot_style import BASE, DOMINATED, DPI, FRONT, INK, WIDTH, set_scale
from archdsl.reporting.plots.points import Axis, FrontPoint, best_first
from archdsl.reporting.plots.published_plot import PUBLISHED_HEIGHT, PublishedPoint, draw_published

__all__ = ["Axis", "FrontPoint", "groups", "plot_front"]

CROWDED = 80
"""With more points than this, dominated ones are fainter."""
MOST_INTERVALS = 300
"""With more points than this, dominated ones are drawn without their intervals."""
MOST_JOINED = 2000
"""With more pairs than this that cannot be told apart, not all of them are joined."""


def plot_front(
    points: Sequence[FrontPoint],
    *,
    x: Axis,
    y: Axis,
    title: str,
    note: str,
    left_out: int = 0,
    published: Sequence[PublishedPoint] = (),
    key: bool = True,
) -> Figure:
    """Draw candidates, their intervals and the front with the region it dominates.

    Args:
        points: the candidates to draw, each with both values; none at all is fine.
        x: the horizontal objective.
        y: the vertical objective.
        title: one line.
        note: device and conditions of the values, in words; stands below the picture.
        left_out: how many dominated candidates there are beside the ones to draw.
        published: of the paper, drawn on a panel of their own.
        key: say below the picture what distinguishes each member from the base.
    """
    lines = key_lines(points) if key else []
    heights = {"front": HEIGHT, "key": key_height(lines)}
    heights["published"] = PUBLISHED_HEIGHT if published else 0.0
    figure = Figure(figsize=(WIDTH, sum(heights.values())), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    panels = _panels(figure, heights)
    if lines:
        write_key(panels["key"], lines)
    if published:
        draw_published(panels["published"], published, x=x, y=y)
    panel = panels["front"]
    axes = panel.add_subplot()
    write_frame(panel, axes, x=x, y=y, title=title, note=note)
    if not points:
        write_empty(axes)
        return figure
    for way, axis in (("x", x), ("y", y)):
        set_scale(axes, "x" if way == "x" else "y", _ends(points, way), unit=axis.unit)
    steps = _draw_front(axes, points, x=x, y=y)
    _join_alike(axes, points)
    crowded = len(points) > CROWDED
    for name, found in groups(points).items():
        if name != "dominated" or len(points) <= MOST_INTERVALS:
            _draw_intervals(axes, found, name=name, crowded=crowded)
        _draw_marks(axes, found, name=name, crowded=crowded)
    write_legend(panel, groups(points), left_out=left_out)
    write_labels(axes, points, steps, x=x, y=y)
    return figure


def _panels(figure: Figure, heights: Mapping[str, float]) -> dict[str, FigureBase]:
    """One below the other; those without height are left out."""
    shown = {name: height for name, height in heights.items() if height}
    grid = figure.add_gridspec(len(shown), 1, height_ratios=list(shown.values()))
    return {name: figure.add_subfigure(grid[place]) for place, name in enumerate(shown)}


def groups(points: Iterable[FrontPoint]) -> dict[str, list[FrontPoint]]:
    """The points by how they are drawn, the name under which the picture's SVG has their marks."""
    found: dict[str, list[FrontPoint]] = {}
    for point in points:
        kind = "front" if point.member else "dominated"
        name = ("base-front" if point.member else "base") if point.base else kind
        found.setdefault(name, []).append(point)
    return found


def _ends(points: Sequence[FrontPoint], way: str) -> list[float]:
    if way == "x":
        return [value for p in points for value in (p.x_low, p.x, p.x_high)]
    return [value for p in points for value in (p.y_low, p.y, p.y_high)]


def _draw_front(axes: Axes, points: Sequence[FrontPoint], *, x: Axis, y: Axis) -> Boxes:
    """The staircase of the members and what lies behind it.

    Members that owe their place to an objective which is not drawn make no staircase.

    Returns:
        Its segments, (segments, 4): x0, y0, x1, y1 in data coordinates.
    """
    members = best_first((p for p in points if p.member), axis=x)
    sign = -1 if y.minimize else 1
    if not members or any(sign * a.y > sign * b.y for a, b in pairwise(members)):
        return np.empty((0, 4))
    x_worst = axes.get_xlim()[1 if x.minimize else 0]
    y_worst = axes.get_ylim()[1 if y.minimize else 0]
    corners = [(members[0].x, y_worst), (members[0].x, members[0].y)]
    for before, member in pairwise(members):
        corners += [(member.x, before.y), (member.x, member.y)]
    corners.append((x_worst, members[-1].y))
    xs, ys = zip(*corners, strict=True)
    axes.fill([*xs, x_worst], [*ys, y_worst], color=FRONT, alpha=0.055, linewidth=0, zorder=1)
    # The way from the outermost members to the frame would look like an interval of theirs.
    axes.plot(
        xs[1:-1], ys[1:-1], color=FRONT, linewidth=1, alpha=0.4, solid_joinstyle="miter", zorder=3
    )
    return np.array([(*start, *end) for start, end in pairwise(corners)])


def _join_alike(axes: Axes, points: Sequence[FrontPoint]) -> None:
    """A dotted line between any two points that cannot be told apart, all of them as one path.

    Where that would be too many to tell one from another, a point is joined to the next one alone.
    """
    marked = sorted((p for p in points if p.indistinguishable), key=lambda p: (p.x, p.y))
    many = sum(len(p.indistinguishable) for p in marked) > 2 * MOST_JOINED
    gap = (math.nan, math.nan)
    lines: list[tuple[float, float]] = []
    for place, point in enumerate(marked):
        others = {str(other) for other in point.indistinguishable}
        later = (p for p in marked[place + 1 :] if p.label in others)
        for other in islice(later, 1 if many else None):
            lines += [(point.x, point.y), (other.x, other.y), gap]
    if lines:
        xs, ys = zip(*lines, strict=True)
        axes.plot(xs, ys, color=INK, linestyle=":", linewidth=1.1, alpha=0.8, zorder=3.5)


def _color(name: str) -> str:
    return DOMINATED if name == "dominated" else FRONT if name == "front" else BASE


def _draw_intervals(axes: Axes, points: Sequence[FrontPoint], *, name: str, crowded: bool) -> None:
    """All of a group as one line with gaps: thousands of them stay a small file."""
    gap = math.nan
    xs = [value for p in points for value in (p.x_low, p.x_high, gap, p.x, p.x, gap)]
    ys = [value for p in points for value in (p.y, p.y, gap, p.y_low, p.y_high, gap)]
    known = name != "dominated"
    axes.plot(
        xs,
        ys,
        color=_color(name),
        linewidth=1.3 if known else 0.7,
        alpha=0.75 if known else 0.12 if crowded else 0.45,
        solid_capstyle="butt",
        zorder=3 if known else 2,
    )


def _draw_marks(axes: Axes, points: Sequence[FrontPoint], *, name: str, crowded: bool) -> None:
    hollow, known = name == "base", name != "dominated"
    color = _color(name)
    axes.plot(
        [p.x for p in points],
        [p.y for p in points],
        gid=name,
        marker="D" if name.startswith("base") else "o",
        markersize=7.5 if name.startswith("base") else 6.5 if known else 4.5,
        markerfacecolor="white" if hollow else color,
        markeredgecolor=color if hollow else "white",
        markeredgewidth=1.6 if hollow else 0.8,
        alpha=1.0 if known else 0.45 if crowded else 0.9,
        linestyle="none",
        zorder=5 if name.startswith("base") else 4 if known else 2,
    )
