"""What stands around the points of a front: title, axes, legend, names, and the key below."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from archdsl.reporting.formatting import drawable
from archdsl.reporting.front import CompleteTrial
from archdsl.reporting.plots import style
from archdsl.reporting.plots.labels import Boxes, Label, place_labels
from archdsl.reporting.plots.points import Axis, BaselinePoint, FrontPoint

HEIGHT = 5.3
"""Of the picture, in inches."""
TITLE_LENGTH, NOTE_LENGTH = 84, 420
"""In characters; longer texts are shortened in the picture."""
MOST_MEMBERS = 12
LINE, HEAD = 0.165, 0.3
"""Height of a line, and of the heading with the air around all, in inches."""
LINE_LENGTH, LONGEST = 118, 300
"""In characters."""
HEADING = "differs from the base in"


def write_frame(figure: FigureBase, axes: Axes, *, x: Axis, y: Axis, title: str, note: str) -> None:
    lines = textwrap.wrap(drawable(note, limit=NOTE_LENGTH), width=124)
    left, right, top = 0.80 / style.WIDTH, 1 - 0.30 / style.WIDTH, 1 - 0.88 / HEIGHT
    bottom = (0.78 + 0.165 * len(lines)) / HEIGHT
    figure.subplots_adjust(left=left, right=right, top=top, bottom=bottom)
    edge = 0.18 / style.WIDTH
    heading = drawable(title, limit=TITLE_LENGTH)
    style.write(
        figure,
        edge,
        1 - 0.20 / HEIGHT,
        heading,
        size=13,
        color=style.INK,
        fontweight="bold",
        va="top",
    )
    style.write(
        figure, edge, 0.14 / HEIGHT, "\n".join(lines), size=8, va="bottom", linespacing=1.45
    )
    style.name_axis(axes, "x", f"{x.heading}, {x.better}", labelpad=6)
    style.name_axis(axes, "y", f"{y.heading}, {y.better}", labelpad=6)
    style.frame(axes)


def write_empty(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[])
    middle: dict[str, Any] = {"ha": "center", "va": "center", "transform": axes.transAxes}
    style.write(axes, 0.5, 0.5, "nothing measured yet", size=12, **middle)


def write_legend(
    figure: FigureBase,
    groups: Mapping[str, Sequence[FrontPoint]],
    *,
    left_out: int,
    baselines: int = 0,
) -> None:
    """Above the picture, where it covers nothing; only what there is to see."""
    points = [point for found in groups.values() for point in found]
    members = sum(p.row.member for p in points)
    dominated = len(groups.get("dominated", ()))
    handles: list[Line2D | Patch] = []
    if members:
        handles.append(style.sample(style.FRONT, f"front ({members})", line="-"))
    if "base" in groups or "base-front" in groups:
        handles.append(style.sample(style.BASE, "base", marker="D", hollow="base" in groups))
    if baselines:
        handles.append(style.sample(style.BASELINE, f"timm ({baselines})", marker="^"))
    if dominated:
        count = f"{dominated} of {dominated + left_out} drawn" if left_out else f"{dominated}"
        handles.append(style.sample(style.DOMINATED, f"dominated ({count})"))
    if members:
        handles.append(Patch(color=style.FRONT, alpha=0.1, linewidth=0, label="dominated region"))
    if any(each.low < each.high for p in points for each in (p.x, p.y)):
        handles.append(style.sample(style.QUIET, "95 % interval", marker="", line="-"))
    if any(p.row.indistinguishable for p in points):
        handles.append(style.sample(style.INK, "not told apart", marker="", line=":"))
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.10 / style.WIDTH, 1 - 0.47 / HEIGHT),
        ncols=len(handles),
        frameon=False,
        fontsize=9,
        labelcolor=style.QUIET,
        handlelength=1.6,
        columnspacing=1.6,
        borderpad=0.2,
    )


def write_labels(
    axes: Axes,
    points: Sequence[FrontPoint],
    steps: Boxes,
    *,
    x: Axis,
    y: Axis,
    baselines: Sequence[BaselinePoint] = (),
) -> None:
    """Name the base, the members and the baselines, away from the dominated region."""
    named = [p for p in points if p.row.base]
    others = (p for p in points if p.row.member and not p.row.base)
    named += sorted(others, key=lambda p: x.loss(p.row))
    labels = [
        Label(
            text=p.row.label,
            x=p.x.value,
            y=p.y.value,
            color=style.BASE if p.row.base else style.INK,
            required=p.row.base,
        )
        for p in named
    ]
    labels += [
        Label(text=p.name, x=p.x.value, y=p.y.value, color=style.BASELINE) for p in baselines
    ]
    crossed = [(p.x, p.y) for p in named] + [(p.x, p.y) for p in baselines]
    intervals = [(a.low, b.value, a.high, b.value) for a, b in crossed]
    intervals += [(a.value, b.low, a.value, b.high) for a, b in crossed]
    place_labels(
        axes,
        labels,
        marks=np.array([p.place for p in points] + [(p.x.value, p.y.value) for p in baselines]),
        lines=np.vstack([steps, np.reshape(intervals, (-1, 4))]),
        toward=math.degrees(math.atan2(-1 if y.minimize else 1, -1 if x.minimize else 1)),
    )


def key_lines(rows: Sequence[CompleteTrial]) -> list[str]:
    """A line or two for each of the first members; none without a base to differ from."""
    members = [row for row in rows if row.member and row.difference]
    found: list[str] = []
    for row in members[:MOST_MEMBERS]:
        line = f"{row.trial.number}:  {drawable(row.difference, limit=LONGEST)}"
        found += textwrap.wrap(line, width=LINE_LENGTH, subsequent_indent="      ")
    if len(members) > MOST_MEMBERS:
        found.append(f"and {len(members) - MOST_MEMBERS} more members")
    return found


def key_height(lines: Sequence[str]) -> float:
    """Of the panel, in inches; 0 when there is nothing to say."""
    return HEAD + LINE * len(lines) if lines else 0.0


def write_key(figure: FigureBase, lines: Sequence[str]) -> None:
    """Write the lines into a panel of `key_height`."""
    height, edge = key_height(lines), 0.18 / style.WIDTH
    style.write(figure, edge, 1, HEADING, size=8, color=style.INK, fontweight="bold", va="top")
    for place, line in enumerate(lines, start=1):
        top = 1 - LINE * place / height
        style.write(figure, edge, top, line, size=8, va="top")
