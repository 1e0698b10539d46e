"""What all pictures share: colours that differ for every eye, marks, frames, scales, legends."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.axis import Axis as Ticks
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from archdsl.reporting.formatting import plain_number

# Okabe and Ito's colours, told apart with every kind of colour vision; shapes differ as well.
FRONT = "#0072B2"
BASE = "#D55E00"
PUBLISHED = "#A3517D"
DOMINATED = "#8A9099"
BASELINE = "#117733"
INK = "#1F2328"
QUIET = "#59636E"
GRID = "#E4E7EB"
EDGE = "#AFB8C1"

WIDTH = 8.4
"""Of a picture, in inches."""
DPI = 200
LOG_RATIO = 10.0
"""An axis whose largest value is more than this many times its smallest is logarithmic."""

LARGE = 1e5
"""From here on the numbers of an axis have a prefix: `200 k`, `1.5 M`."""

Way = Literal["x", "y"]


def new_figure(height: float) -> Figure:
    """An empty picture of that height, in inches."""
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def write(
    where: Axes | FigureBase,
    x: float,
    y: float,
    text: str,
    *,
    size: float,
    color: str = QUIET,
    **more: Any,
) -> None:
    """Words that are never read as a formula."""
    where.text(x, y, text, fontsize=size, color=color, parse_math=False, **more)


def name_axis(axes: Axes, way: Way, text: str, *, size: float = 10, **more: Any) -> None:
    """What an axis shows."""
    name = axes.set_xlabel if way == "x" else axes.set_ylabel
    name(text, fontsize=size, color=INK, parse_math=False, **more)


def marks(
    axes: Axes,
    xs: Sequence[float],
    ys: Sequence[float],
    *,
    color: str,
    size: float,
    edge: float = 0.8,
    hollow: bool = False,
    marker: str = "o",
    **more: Any,
) -> None:
    """A mark at each place, set off from what is beneath it; a hollow one by its own colour."""
    axes.plot(
        xs,
        ys,
        marker=marker,
        markersize=size,
        markerfacecolor="white" if hollow else color,
        markeredgecolor=color if hollow else "white",
        markeredgewidth=edge,
        linestyle="none",
        **more,
    )


def frame(axes: Axes) -> None:
    """A quiet frame and grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(EDGE)
    axes.tick_params(colors=QUIET, labelsize=9, length=3, color=EDGE, which="both")
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)


def set_scale(axes: Axes, way: Way, values: Iterable[float], *, unit: str, ticks: int = 8) -> None:
    """Every value inside, with air; linear or logarithmic by the values.

    Args:
        axes: the picture.
        way: which of its axes.
        values: at least one, all finite.
        unit: of the values; a percentage is never logarithmic.
        ticks: how many, at most, on a linear axis.
    """
    ends = list(values)
    low, high = min(ends), max(ends)
    line: Ticks = axes.xaxis if way == "x" else axes.yaxis
    rescale = axes.set_xscale if way == "x" else axes.set_yscale
    limit = axes.set_xlim if way == "x" else axes.set_ylim
    # A percentage is bounded on both sides: the distance to neither bound is a ratio.
    if unit != "%" and low > 0 and high / low > LOG_RATIO:
        rescale("log")
        margin = (high / low) ** 0.08
        limit(low / margin, high * margin)
        wide = math.log10(high / low) > 3
        line.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5)))
        line.set_minor_formatter(NullFormatter())
    else:
        margin = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
        limit(low - margin, high + margin)
        line.set_major_locator(MaxNLocator(nbins=ticks, steps=[1, 2, 2.5, 5, 10]))
    # Long numbers would overlap each other, or push the axis's name out of the picture.
    large = max(map(abs, line.get_view_interval())) >= LARGE
    plain = FuncFormatter(lambda value, _: plain_number(value))
    line.set_major_formatter(EngFormatter() if large else plain)


def sample(
    color: str,
    label: str,
    *,
    marker: Literal["o", "D", "^", "|", ""] = "o",
    line: Literal["-", "--", ":", "none"] = "none",
    hollow: bool = False,
    width: float = 1.2,
) -> Line2D:
    """One entry of a legend."""
    drawn = Line2D([], [], color=color, label=label, marker=marker or "none", linestyle=line)
    drawn.set(markersize=6, linewidth=width, markerfacecolor="white" if hollow else color)
    return drawn
