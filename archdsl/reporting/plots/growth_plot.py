"""How a search got on: one value that only grows better, trial after trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from archdsl.reporting.formatting import drawable, number
from archdsl.reporting.plots import style
from archdsl.reporting.plots.svg import Tooltip, inline_svg

HEIGHT = 3.4
"""Of the picture, in inches."""
_EDGES = {
    "left": 0.8 / style.WIDTH,
    "right": 1 - 0.3 / style.WIDTH,
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
    figure = style.new_figure(HEIGHT)
    axes = figure.add_subplot()
    figure.subplots_adjust(**_EDGES)
    style.frame(axes)
    _set_limits(axes, progress)
    _draw(axes, progress)
    style.name_axis(axes, "x", "complete trials", labelpad=6)
    style.name_axis(axes, "y", drawable(progress.heading, limit=60))
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
    style.set_scale(axes, "y", [*progress.best, *progress.single], unit="%")


def _draw(axes: Axes, progress: Progress) -> None:
    places = range(1, len(progress.best) + 1)
    if progress.single:
        stride = -(-len(progress.single) // MOST_SINGLE)
        every = slice(None, None, stride)
        single = progress.single[every]
        style.marks(axes, places[every], single, color=style.DOMINATED, size=4, edge=0.5, alpha=0.6)
    steps = progress.steps
    # Only where it changes: a file of thousands of trials stays small.
    corners = [*steps, len(progress.best) - 1]
    axes.plot(
        [places[i] for i in corners],
        [progress.best[i] for i in corners],
        drawstyle="steps-post",
        color=style.FRONT,
        linewidth=1.6,
    )
    at, reached = [places[i] for i in steps], [progress.best[i] for i in steps]
    style.marks(axes, at, reached, color=style.FRONT, size=6, gid="steps")
    if progress.single:
        samples = [
            style.sample(style.FRONT, "best so far", line="-"),
            style.sample(style.DOMINATED, "each trial"),
        ]
        axes.legend(
            handles=samples,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=2,
            frameon=False,
            fontsize=9,
            labelcolor=style.QUIET,
        )


def _tooltip(progress: Progress, place: int) -> str:
    return (
        f"trial {progress.trials[place]} (complete trial {place + 1}): {progress.heading} "
        f"{number(progress.best[place])}"
    )
