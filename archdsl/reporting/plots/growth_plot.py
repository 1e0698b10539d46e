"""How a search got on: one value that only grows better, trial after trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from archdsl.reporting.formatting import drawable, number
from archdsl.reporting.plots.plot_style import (
    DOMINATED,
    DPI,
    FRONT,
    INK,
    QUIET,
    WIDTH,
    sample,
    set_scale,
    style_axes,
)
from archdsl.reporting.plots.svg import Tooltip, inline_svg

HEIGHT = 3.4
"""Of the picture, in inches."""
_EDGES = {
    "left": 0.8 / WIDTH,
    "right": 1 - 0.3 / WIDTH,
    "top": 1 - 0.4 / HEIGHT,
    "bottom": 0.6 / HEIGHT,
}
MOST_SINGLE = 1500
"""Single values to draw; of more, every other one, every third one, …"""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A value after each complete trial, in the order they were finished.

    Args:
        heading: what it is, with its unit.
        trials: their numbers.
        best: the value after each of them.
        single: each trial's own value, where it is of the same kind; else empty.
    """

    heading: str
    trials: Sequence[int]
    best: Sequence[float]
    single: Sequence[float] = ()

    @property
    def steps(self) -> list[int]:
        """Places at which the value changed, the first one among them."""
        return [i for i, value in enumerate(self.best) if i == 0 or value != self.best[i - 1]]


def progress_picture(progress: Progress, *, title: str) -> Markup:
    """Draw the growth of a value; the marks say at which trial it grew.

    Args:
        progress: with at least one trial.
        title: one line, for those who listen.

    Returns:
        An `<svg>` element.
    """
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    figure.subplots_adjust(**_EDGES)
    style_axes(axes)
    _set_limits(axes, progress)
    _draw(axes, progress)
    axes.set_xlabel("complete trials", fontsize=10, color=INK, labelpad=6)
    axes.set_ylabel(drawable(progress.heading, limit=60), fontsize=10, color=INK, parse_math=False)
    last = progress.steps[-1]
    marks = [Tooltip(text=_tooltip(progress, i), by_keyboard=True) for i in progress.steps]
    return inline_svg(
        figure,
        label=title,
        marks={"steps": marks},
        described=f"{progress.heading} over {len(progress.best)} complete trials: "
        f"{number(progress.best[-1])} at the end, last better at trial {progress.trials[last]}.",
    )


def _set_limits(axes: Axes, progress: Progress) -> None:
    axes.set_xlim(0, len(progress.best) + 1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    # Never logarithmic: a hypervolume begins at 0.
    set_scale(axes, "y", [*progress.best, *progress.single], unit="%")


def _draw(axes: Axes, progress: Progress) -> None:
    places = range(1, len(progress.best) + 1)
    if progress.single:
        stride = -(-len(progress.single) // MOST_SINGLE)
        axes.plot(
            places[::stride],
            progress.single[::stride],
            marker="o",
            markersize=4,
            markerfacecolor=DOMINATED,
            markeredgecolor="white",
            markeredgewidth=0.5,
            alpha=0.6,
            linestyle="none",
        )
    steps = progress.steps
    # Only where it changes: a file of thousands of trials stays small.
    corners = [*steps, len(progress.best) - 1]
    axes.plot(
        [places[i] for i in corners],
        [progress.best[i] for i in corners],
        drawstyle="steps-post",
        color=FRONT,
        linewidth=1.6,
    )
    axes.plot(
        [places[i] for i in steps],
        [progress.best[i] for i in steps],
        gid="steps",
        marker="o",
        markersize=6,
        markerfacecolor=FRONT,
        markeredgecolor="white",
        markeredgewidth=0.8,
        linestyle="none",
    )
    if progress.single:
        axes.legend(
            handles=[sample(FRONT, "best so far", line="-"), sample(DOMINATED, "each trial")],
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=2,
            frameon=False,
            fontsize=9,
            labelcolor=QUIET,
        )


def _tooltip(progress: Progress, place: int) -> str:
    return (
        f"trial {progress.trials[place]} (complete trial {place + 1}): {progress.heading} "
        f"{number(progress.best[place])}"
    )
