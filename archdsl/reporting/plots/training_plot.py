"""How a training got on: loss and metric over the epochs, as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from archdsl.reporting.formatting import drawable, heading, number
from archdsl.reporting.plots import style

HEIGHT = 3.4
Curve = Sequence[tuple[int, float]]
"""Pairs of an epoch and a value."""


def plot_training(name: str, *, loss: Curve, metric: str, values: Curve) -> Figure:
    """Draw the loss of the training images beside a metric on validation images.

    Args:
        name: of the network.
        loss: may lack epochs.
        metric: its name.
        values: of it.
    """
    figure = style.new_figure(HEIGHT)
    figure.subplots_adjust(left=0.09, right=0.97, top=0.84, bottom=0.17, wspace=0.28)
    style.write(figure, 0.09, 0.92, drawable(name, limit=90), size=11, color=style.INK)
    for place, (curve, title) in enumerate(((loss, "loss"), (values, heading(metric))), start=1):
        axes = figure.add_subplot(1, 2, place)
        style.frame(axes)
        style.name_axis(axes, "x", "epoch")
        style.name_axis(axes, "y", title)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        seen = [(epoch, value) for epoch, value in curve if math.isfinite(value)]
        if not seen:
            continue
        epochs, heights = zip(*seen, strict=True)
        style.set_scale(axes, "y", heights, unit="%", ticks=6)
        axes.plot(epochs, heights, color=style.FRONT, linewidth=1.6)
        style.marks(axes, epochs[-1:], heights[-1:], color=style.FRONT, size=6)
        axes.set_title(
            f"{number(heights[-1])} after epoch {epochs[-1]}",
            loc="right",
            fontsize=9,
            color=style.QUIET,
        )
    return figure
