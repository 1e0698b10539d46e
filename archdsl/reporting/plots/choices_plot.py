"""Choices against objectives: for each option, where the trials that took it lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from archdsl.reporting.formatting import counted, drawable, number
from archdsl.reporting.plots.plot_style import (
    BASE,
    DOMINATED,
    DPI,
    EDGE,
    FRONT,
    INK,
    QUIET,
    WIDTH,
    sample,
    set_scale,
    style_axes,
)
from archdsl.reporting.plots.points import Axis
from archdsl.reporting.plots.svg import Tooltip, inline_svg

ROW, HEAD, FOOT = 0.2, 0.62, 0.55
"""Height of a row, of what is above all rows, of what is below, in inches."""
NAMES = 2.7
"""Width of the column of names, in inches."""
FEW = 8
"""Up to so many trials, each is a dot of its own."""


@dataclass(frozen=True, kw_only=True)
class OptionRow:
    """One option of one choice.

    Args:
        label: of the option.
        values: objective to the value of each trial that took it.
        front: objective to the values of those of them that are on the front.
    """

    label: str
    values: Mapping[str, Sequence[float]]
    front: Mapping[str, Sequence[float]]


@dataclass(frozen=True, kw_only=True)
class ChoiceRows:
    """One choice and its options, as they stand below each other."""

    name: str
    options: Sequence[OptionRow]


def choices_picture(
    choices: Sequence[ChoiceRows],
    *,
    axes: Mapping[str, Axis],
    base: Mapping[str, float],
    title: str,
) -> Markup:
    """Draw a column for each objective and a row for each option.

    Args:
        choices: at least one, each with at least one option.
        axes: objective to its axis.
        base: the base's values; empty without one.
        title: one line, for those who listen.

    Returns:
        An `<svg>` element.
    """
    lines = sum(1 + len(choice.options) for choice in choices)
    height = HEAD + FOOT + ROW * lines
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(axes), sharey=True, squeeze=False)[0]
    figure.subplots_adjust(
        left=NAMES / WIDTH,
        right=1 - 0.25 / WIDTH,
        top=1 - HEAD / height,
        bottom=FOOT / height,
        wspace=0.08,
    )
    marks: dict[str, list[Tooltip]] = {}
    for column, ((objective, axis), panel) in enumerate(zip(axes.items(), panels, strict=True)):
        _prepare(panel, choices, objective, axis, base=base.get(objective), lines=lines)
        _draw_options(panel, choices, objective, column=column)
        for line, choice, option in _placed(choices):
            tooltip = Tooltip(text=_tooltip(choice, option, objective, axis))
            marks[f"option-{column}-{line}"] = [tooltip]
        _draw_front(panel, choices, objective)
        if objective in base:
            panel.axvline(base[objective], color=BASE, linewidth=1.2, linestyle="--", zorder=2)
    _write_names(panels[0], choices)
    _write_legend(figure, choices, height=height, base=bool(base))
    return inline_svg(figure, label=title, marks=marks)


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The ends of the middle half, and the median between them."""
    ordered = sorted(values)
    half = len(ordered) // 2
    low = median(ordered[:half] or ordered)
    high = median(ordered[-half:] if half else ordered)
    return low, median(ordered), high


def _placed(choices: Sequence[ChoiceRows]) -> list[tuple[int, ChoiceRows, OptionRow]]:
    """Each option with its line from above; each choice has a line of its own for its name."""
    found, line = [], 0
    for choice in choices:
        for option in choice.options:
            line += 1
            found.append((line, choice, option))
        line += 1
    return found


def _prepare(
    panel: Axes,
    choices: Sequence[ChoiceRows],
    objective: str,
    axis: Axis,
    *,
    base: float | None,
    lines: int,
) -> None:
    style_axes(panel)
    panel.grid(visible=False, axis="y")
    panel.spines["left"].set_visible(False)
    panel.set_yticks([])
    panel.set_ylim(lines - 0.4, -0.6)
    values = [
        v for choice in choices for option in choice.options for v in option.values[objective]
    ]
    values += [] if base is None else [base]
    set_scale(panel, "x", values, unit=axis.unit, ticks=5)
    better = "lower" if axis.minimize else "higher"
    heading = f"{drawable(axis.heading, limit=40)}, {better} is better"
    panel.set_xlabel(heading, fontsize=9, color=INK, labelpad=5, parse_math=False)


def _draw_options(
    panel: Axes, choices: Sequence[ChoiceRows], objective: str, *, column: int
) -> None:
    """Each option's trials, or their median, middle half and range; few artists for all of them."""
    left, right = panel.get_xlim()
    dots: list[tuple[float, int]] = []
    spans: list[tuple[int, float, float, float, float, float]] = []
    for line, _, option in _placed(choices):
        # Never seen: what is pointed at anywhere in the row.
        panel.add_patch(
            Rectangle(
                (left, line - 0.5),
                right - left,
                1,
                facecolor="white",
                alpha=0.01,
                gid=f"option-{column}-{line}",
            )
        )
        values = option.values[objective]
        if len(values) <= FEW:
            dots += [(value, line) for value in values]
        else:
            spans.append((line, min(values), *quartiles(values), max(values)))
    if dots:
        panel.plot(*zip(*dots, strict=True), "o", color=DOMINATED, markersize=3.5, alpha=0.8)
    if spans:
        lines, lowest, low, middle, high, highest = zip(*spans, strict=True)
        panel.hlines(lines, lowest, highest, colors=EDGE, linewidth=1, zorder=2)
        panel.hlines(lines, low, high, colors=DOMINATED, linewidth=6, zorder=3)
        panel.plot(middle, lines, "|", color=INK, markersize=9, markeredgewidth=1.8, zorder=4)


def _draw_front(panel: Axes, choices: Sequence[ChoiceRows], objective: str) -> None:
    """Below the middle line of each row, so that the median stays to be seen."""
    places = [
        (value, line + 0.3)
        for line, _, option in _placed(choices)
        for value in option.front[objective]
    ]
    if places:
        xs, ys = zip(*places, strict=True)
        panel.plot(
            xs,
            ys,
            "^",
            color=FRONT,
            markersize=4,
            markeredgecolor="white",
            markeredgewidth=0.3,
            zorder=5,
        )


def _write_names(panel: Axes, choices: Sequence[ChoiceRows]) -> None:
    line = 0
    left = panel.get_yaxis_transform()
    for choice in choices:
        name = drawable(choice.name, limit=34)
        edge = -NAMES / (panel.get_position().width * WIDTH) * 0.97
        panel.text(
            edge, line, name, transform=left, fontsize=9, fontweight="bold", color=INK,
            va="center", parse_math=False,
        )  # fmt: skip
        panel.axhline(line - 0.5, xmin=edge, color=EDGE, linewidth=0.5, clip_on=False)
        for option in choice.options:
            line += 1
            count = len(next(iter(option.values.values())))
            label = f"{drawable(option.label, limit=26)}  ({count})"
            panel.text(
                -0.03, line, label, transform=left, fontsize=8.5, color=QUIET, ha="right",
                va="center", parse_math=False,
            )  # fmt: skip
        line += 1


def _write_legend(
    figure: Figure, choices: Sequence[ChoiceRows], *, height: float, base: bool
) -> None:
    """Of what is drawn, and of nothing else."""
    options = [option for choice in choices for option in choice.options]
    counts = [len(values) for option in options for values in option.values.values()]
    handles = []
    if any(count <= FEW for count in counts):
        handles.append(sample(DOMINATED, f"a trial (up to {FEW})"))
    if any(count > FEW for count in counts):
        handles += [
            sample(DOMINATED, "middle half", marker="", line="-", width=5),
            sample(INK, "median", marker="|"),
            sample(EDGE, "all", marker="", line="-"),
        ]
    if any(values for option in options for values in option.front.values()):
        front = sample(FRONT, "on the front")
        front.set_marker("^")
        handles.append(front)
    if base:
        dashed = sample(BASE, "base", marker="", line="-")
        dashed.set_linestyle("--")
        handles.append(dashed)
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.1 / WIDTH, 1 - 0.05 / height),
        ncols=len(handles),
        frameon=False,
        fontsize=8.5,
        labelcolor=QUIET,
        handlelength=1.5,
        columnspacing=1.4,
    )


def _tooltip(choice: ChoiceRows, option: OptionRow, objective: str, axis: Axis) -> str:
    values, front = option.values[objective], option.front[objective]
    low, middle, high = quartiles(values)
    return (
        f"{choice.name} = {option.label} ({counted(len(values), 'trial')}): {axis.heading} median "
        f"{number(middle)}, middle half {number(low)} to {number(high)}, all {number(min(values))} "
        f"to {number(max(values))}; {len(front)} on the front"
    )
