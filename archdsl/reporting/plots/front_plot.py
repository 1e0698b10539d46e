"""The front as a picture: one objective against the other, with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from archdsl.reporting.front import CompleteTrial
from archdsl.reporting.plots import style
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
from archdsl.reporting.plots.points import (
    Axis,
    BaselinePoint,
    FrontPoint,
    baseline_points,
    points_of,
)
from archdsl.reporting.plots.published_plot import PUBLISHED_HEIGHT, draw_published
from archdsl.searching.baselines import MeasuredBaseline
from archdsl.store.rows import Value

CROWDED = 80
"""With more points than this, dominated ones are fainter."""
MOST_INTERVALS = 300
"""With more points than this, dominated ones are drawn without their intervals."""
MOST_JOINED = 2000
"""With more pairs than this that cannot be told apart, not all of them are joined."""
_COLORS = {
    "dominated": style.DOMINATED,
    "front": style.FRONT,
    "base": style.BASE,
    "base-front": style.BASE,
}


def plot_front(
    rows: Sequence[CompleteTrial],
    *,
    x: Axis,
    y: Axis,
    title: str,
    note: str,
    left_out: int = 0,
    published: bool = False,
    key: bool = True,
    baselines: Sequence[MeasuredBaseline] = (),
) -> Figure:
    """Draw candidates, their intervals and the front with the region it dominates.

    Args:
        rows: the trials to draw; none at all is fine.
        x: the horizontal objective.
        y: the vertical objective.
        title: one line.
        note: device and conditions of the values, in words; stands below the picture.
        left_out: how many dominated candidates there are beside the ones to draw.
        published: with the paper's own points on a panel of their own.
        key: say below the picture what distinguishes each member from the base.
        baselines: models of timm's, drawn as what they are.

    Raises:
        StudyError: the paper does not print one of the objectives.
    """
    points, others = points_of(rows, x=x, y=y), baseline_points(baselines, x=x, y=y)
    lines = key_lines(rows) if key else []
    heights = {"front": HEIGHT, "key": key_height(lines)}
    heights["published"] = PUBLISHED_HEIGHT if published else 0.0
    figure = style.new_figure(sum(heights.values()))
    panels = _panels(figure, heights)
    if lines:
        write_key(panels["key"], lines)
    if published:
        draw_published(panels["published"], x=x, y=y)
    panel = panels["front"]
    axes = panel.add_subplot()
    write_frame(panel, axes, x=x, y=y, title=title, note=note)
    if not points:
        write_empty(axes)
        return figure
    xs, ys = [p.x for p in points], [p.y for p in points]
    xs, ys = [*xs, *(p.x for p in others)], [*ys, *(p.y for p in others)]
    style.set_scale(axes, "x", _ends(xs), unit=x.unit)
    style.set_scale(axes, "y", _ends(ys), unit=y.unit)
    steps = _draw_front(axes, points, x=x, y=y)
    _join_alike(axes, points)
    crowded = len(points) > CROWDED
    for name, found in groups(points).items():
        if name != "dominated" or len(points) <= MOST_INTERVALS:
            _draw_intervals(axes, found, name=name, crowded=crowded)
        _draw_marks(axes, found, name=name, crowded=crowded)
    _draw_baselines(axes, others)
    write_legend(panel, groups(points), left_out=left_out, baselines=len(others))
    write_labels(axes, points, steps, x=x, y=y, baselines=others)
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
        member = point.row.member
        kind = "front" if member else "dominated"
        name = ("base-front" if member else "base") if point.row.base else kind
        found.setdefault(name, []).append(point)
    return found


def _ends(values: Iterable[Value]) -> list[float]:
    return [end for each in values for end in (each.low, each.value, each.high)]


def _draw_front(axes: Axes, points: Sequence[FrontPoint], *, x: Axis, y: Axis) -> Boxes:
    """The staircase of the members and what lies behind it.

    Members that owe their place to an objective which is not drawn make no staircase.

    Returns:
        Its segments, (segments, 4): x0, y0, x1, y1 in data coordinates.
    """
    found = sorted((p for p in points if p.row.member), key=lambda p: x.loss(p.row))
    if not found or any(y.loss(a.row) < y.loss(b.row) for a, b in pairwise(found)):
        return np.empty((0, 4))
    members = [p.place for p in found]
    x_worst = axes.get_xlim()[1 if x.minimize else 0]
    y_worst = axes.get_ylim()[1 if y.minimize else 0]
    corners = [(members[0][0], y_worst), members[0]]
    for (_, before), (at, value) in pairwise(members):
        corners += [(at, before), (at, value)]
    corners.append((x_worst, members[-1][1]))
    xs, ys = zip(*corners, strict=True)
    axes.fill([*xs, x_worst], [*ys, y_worst], color=style.FRONT, alpha=0.055, linewidth=0, zorder=1)
    # The way from the outermost members to the frame would look like an interval of theirs.
    axes.plot(
        xs[1:-1],
        ys[1:-1],
        color=style.FRONT,
        linewidth=1,
        alpha=0.4,
        solid_joinstyle="miter",
        zorder=3,
    )
    return np.array([(*start, *end) for start, end in pairwise(corners)])


def _join_alike(axes: Axes, points: Sequence[FrontPoint]) -> None:
    """A dotted line between any two points that cannot be told apart, all of them as one path.

    Where that would be too many to tell one from another, a point is joined to the next one alone.
    """
    marked = sorted((p for p in points if p.row.indistinguishable), key=lambda p: p.place)
    many = sum(len(p.row.indistinguishable) for p in marked) > 2 * MOST_JOINED
    gap = (math.nan, math.nan)
    lines: list[tuple[float, float]] = []
    for place, point in enumerate(marked):
        others = set(point.row.indistinguishable)
        later = (p for p in marked[place + 1 :] if p.row.trial.number in others)
        for other in islice(later, 1 if many else None):
            lines += [point.place, other.place, gap]
    if lines:
        xs, ys = zip(*lines, strict=True)
        axes.plot(xs, ys, color=style.INK, linestyle=":", linewidth=1.1, alpha=0.8, zorder=3.5)


def _draw_intervals(axes: Axes, points: Sequence[FrontPoint], *, name: str, crowded: bool) -> None:
    """All of a group as one line with gaps: thousands of them stay a small file."""
    gap = math.nan
    xs = [v for p in points for v in (p.x.low, p.x.high, gap, p.x.value, p.x.value, gap)]
    ys = [v for p in points for v in (p.y.value, p.y.value, gap, p.y.low, p.y.high, gap)]
    known = name != "dominated"
    axes.plot(
        xs,
        ys,
        color=_COLORS[name],
        linewidth=1.3 if known else 0.7,
        alpha=0.75 if known else 0.12 if crowded else 0.45,
        solid_capstyle="butt",
        zorder=3 if known else 2,
    )


def _draw_baselines(axes: Axes, points: Sequence[BaselinePoint]) -> None:
    if not points:
        return
    line: dict[str, Any] = {"color": style.BASELINE, "linewidth": 1.3, "zorder": 3}
    for p in points:
        axes.plot([p.x.low, p.x.high], [p.y.value, p.y.value], **line)
        axes.plot([p.x.value, p.x.value], [p.y.low, p.y.high], **line)
    style.marks(
        axes,
        [p.x.value for p in points],
        [p.y.value for p in points],
        color=style.BASELINE,
        size=7.5,
        marker="^",
        gid="baseline",
        zorder=4,
    )


def _draw_marks(axes: Axes, points: Sequence[FrontPoint], *, name: str, crowded: bool) -> None:
    base, known = name.startswith("base"), name != "dominated"
    hollow = name == "base"
    style.marks(
        axes,
        [p.x.value for p in points],
        [p.y.value for p in points],
        color=_COLORS[name],
        size=7.5 if base else 6.5 if known else 4.5,
        edge=1.6 if hollow else 0.8,
        hollow=hollow,
        marker="D" if base else "o",
        gid=name,
        alpha=1.0 if known else 0.45 if crowded else 0.9,
        zorder=5 if base else 4 if known else 2,
    )
