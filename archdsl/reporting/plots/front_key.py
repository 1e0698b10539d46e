"""What distinguishes each member of a front from the base, below its picture."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from matplotlib.figure import FigureBase

from archdsl.reporting.formatting import drawable
from archdsl.reporting.plots.plot_style import INK, QUIET, WIDTH
from archdsl.reporting.plots.points import FrontPoint

MOST_MEMBERS = 12
LINE, HEAD = 0.165, 0.3
"""Height of a line, and of the heading with the air around all, in inches."""
LINE_LENGTH, LABEL_LENGTH, LONGEST = 118, 24, 300
"""In characters."""
HEADING = "differs from the base in"


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
