"""Names beside the marks of a picture, placed so that they cover neither marks nor each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.text import Annotation

ANGLES = (0, 45, -45, 22, -22, 68, -68, 90, -90, 135, -135, 180)
"""Where a name may stand, in degrees from the direction in which the picture is expected empty."""
DISTANCES = (7.0, 13.0, 21.0, 32.0, 46.0)
"""Between the centre of a mark and its name, in points; the farther ones get a line."""
LEADER = 20.0
"""From this distance on a line leads from the name to its mark."""
MARK = 5.0
"""Half the width that a mark takes with the air around it, in points."""
AIR = 1.5
"""Around a name, in points."""

FONT_SIZE = 9.0
"""In points."""

Boxes = npt.NDArray[np.float64]
"""Rectangles: (boxes, 4), the columns left, bottom, right, top."""
Flags = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class Label:
    """A name and the point it belongs to, in data coordinates."""

    text: str
    x: float
    y: float
    color: str
    required: bool = False
    """Written, bold and on a ground of its own, even where it covers marks."""


def place_labels(
    axes: Axes, labels: Sequence[Label], *, marks: Boxes, lines: Boxes, toward: float
) -> None:
    """Write each name where it covers no mark and no other name; earlier ones choose first.

    A name that finds no free place is left out, unless it is required.

    Args:
        axes: the picture, with its limits and its place in the figure final.
        labels: the names.
        marks: (marks, 2), their centres in data coordinates.
        lines: (lines, 4), x0, y0, x1, y1 of horizontal and vertical segments in data
            coordinates; covered only where nothing better is near.
        toward: direction in degrees, counter-clockwise from the right, tried first.
    """
    scale = axes.figure.dpi / 72
    centres = axes.transData.transform(marks)
    taken = _boxes(centres - MARK * scale, centres + MARK * scale)
    ends = axes.transData.transform(lines.reshape(-1, 2)).reshape(-1, 4)
    crossed = _boxes(np.minimum(ends[:, :2], ends[:, 2:]), np.maximum(ends[:, :2], ends[:, 2:]))
    for label in labels:
        name = _write(axes, label, offset=(0.0, 0.0), far=False)
        extent = name.get_window_extent()
        name.remove()
        half = np.array([extent.width, extent.height]) / 2
        shifts = _shifts(half, toward=toward, scale=scale)
        middles = axes.transData.transform((label.x, label.y)) + shifts
        boxes = _boxes(middles - half - AIR * scale, middles + half + AIR * scale)
        inside, covered = _inside(axes, boxes), _covered(boxes, taken)
        if not label.required and not (inside & (covered == 0)).any():
            continue
        # Nearer is better; a line underneath is as bad as two distances more, a mark far worse.
        cost = np.arange(len(boxes)) + 2.0 * len(ANGLES) * (_covered(boxes, crossed) > 0)
        cost += 1e3 * covered + 1e6 * ~inside
        best = int(np.argmin(cost))
        right, up = (float(value) for value in shifts[best] / scale)
        _write(axes, label, offset=(right, up), far=DISTANCES[best // len(ANGLES)] >= LEADER)
        taken = np.vstack([taken, boxes[best]])


def _write(axes: Axes, label: Label, *, offset: tuple[float, float], far: bool) -> Annotation:
    """The name with its centre `offset` points from its mark; a line between them if it is far."""
    line = {"arrowstyle": "-", "color": label.color, "lw": 0.6, "shrinkA": 0, "shrinkB": 4}
    ground = {"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.8, "linewidth": 0}
    return axes.annotate(
        label.text,
        xy=(label.x, label.y),
        xytext=offset,
        textcoords="offset points",
        horizontalalignment="center",
        verticalalignment="center",
        fontsize=FONT_SIZE,
        fontweight="bold" if label.required else "normal",
        color=label.color,
        parse_math=False,
        zorder=6,
        arrowprops=line if far else None,
        bbox=ground if label.required else None,
    )


def _shifts(half: Boxes, *, toward: float, scale: float) -> Boxes:
    """(places, 2): from the mark to the centre of its name in pixels, the nearest places first."""
    angles = np.deg2rad(toward + np.array(ANGLES, dtype=float))
    directions = np.column_stack([np.cos(angles), np.sin(angles)])
    # At 45 degrees the corner of the name, not the middle of its side, faces the mark.
    corner = np.clip(directions * 2**0.5, -1, 1) * half
    reach = np.array(DISTANCES)[:, None, None] * scale
    return (directions * reach + corner).reshape(-1, 2)


def _boxes(lower: Boxes, upper: Boxes) -> Boxes:
    return np.hstack([lower, upper])


def _inside(axes: Axes, boxes: Boxes) -> Flags:
    frame = axes.get_window_extent()
    lower = (boxes[:, :2] >= frame.min).all(axis=1)
    upper = (boxes[:, 2:] <= frame.max).all(axis=1)
    return np.logical_and(lower, upper)


def _covered(boxes: Boxes, others: Boxes) -> Counts:
    """(boxes,): with how many of the others a box shares a pixel."""
    mine, theirs = boxes[:, None], others[None]
    meets = (mine[..., :2] <= theirs[..., 2:]) & (theirs[..., :2] <= mine[..., 2:])
    return np.asarray(np.count_nonzero(meets.all(axis=-1), axis=1), dtype=np.intp)
