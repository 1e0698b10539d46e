"""Choices against objectives: for each option, where the trials that took it lie."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from archdsl.analysis.choices import Choice, Option
from archdsl.document.messages import counted
from archdsl.reporting.formatting import drawable, number
from archdsl.reporting.plots import style
from archdsl.reporting.plots.points import Axis
from archdsl.reporting.plots.svg import Tooltip, inline_svg
from archdsl.store.rows import Trial

ROW, HEAD, FOOT = 0.2, 0.62, 0.55
"""Height of a row, of what is above all rows, of what is below, in inches."""
NAMES = 2.7
"""Width of the column of names, in inches."""
FEW = 8
"""Up to so many trials, each is a dot of its own."""


def choices_picture(
    choices: Sequence[Choice],
    *,
    axes: Mapping[str, Axis],
    members: Collection[int],
    base: Mapping[str, float],
    title: str,
) -> Markup:
    """Draw a column for each objective and a row for each option.

    Args:
        choices: at least one, each with at least one option.
        axes: objective to its axis.
        members: numbers of the trials on the front.
        base: the base's values; empty without one.
        title: one line, for those who listen.

    Returns:
        An `<svg>` element.
    """
    lines = sum(1 + len(choice.options) for choice in choices)
    height = HEAD + FOOT + ROW * lines
    figure = style.new_figure(height)
    panels = figure.subplots(1, len(axes), sharey=True, squeeze=False)[0]
    figure.subplots_adjust(
        left=NAMES / style.WIDTH,
        right=1 - 0.25 / style.WIDTH,
        top=1 - HEAD / height,
        bottom=FOOT / height,
        wspace=0.08,
    )
    marks: dict[str, list[Tooltip]] = {}
    for column, ((objective, axis), panel) in enumerate(zip(axes.items(), panels, strict=True)):
        _prepare(panel, choices, axis, base=base.get(objective), lines=lines)
        _draw_options(panel, choices, objective, column=column)
        for line, choice, option in _placed(choices):
            tooltip = Tooltip(text=_tooltip(choice, option, axis, members))
            marks[f"option-{column}-{line}"] = [tooltip]
        _draw_front(panel, choices, objective, members)
        if objective in base:
            panel.axvline(
                base[objective], color=style.BASE, linewidth=1.2, linestyle="--", zorder=2
            )
    _write_names(panels[0], choices)
    _write_legend(figure, choices, members, height=height, base=bool(base))
    return inline_svg(figure, label=title, marks=marks)


def values_of(trials: Iterable[Trial], objective: str) -> list[float]:
    return [trial.values[objective].value for trial in trials]


def on_front(option: Option, members: Collection[int]) -> list[Trial]:
    """The trials of an option that are members."""
    return [trial for trial in option.trials if trial.number in members]


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The ends of the middle half, and the median between them."""
    ordered = sorted(values)
    half = len(ordered) // 2
    low = median(ordered[:half] or ordered)
    high = median(ordered[-half:] if half else ordered)
    return low, median(ordered), high


def _placed(choices: Sequence[Choice]) -> Iterator[tuple[int, Choice, Option]]:
    """Each option with its line from above; each choice has a line of its own for its name."""
    line = 0
    for choice in choices:
        for option in choice.options:
            line += 1
            yield line, choice, option
        line += 1


def _prepare(
    panel: Axes, choices: Sequence[Choice], axis: Axis, *, base: float | None, lines: int
) -> None:
    style.frame(panel)
    panel.grid(visible=False, axis="y")
    panel.spines["left"].set_visible(False)
    panel.set_yticks([])
    panel.set_ylim(lines - 0.4, -0.6)
    values = [] if base is None else [base]
    for _, _, option in _placed(choices):
        values += values_of(option.trials, axis.objective)
    style.set_scale(panel, "x", values, unit=axis.unit, ticks=5)
    style.name_axis(panel, "x", f"{axis.heading}, {axis.better}", size=9, labelpad=5)


def _draw_options(panel: Axes, choices: Sequence[Choice], objective: str, *, column: int) -> None:
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
        values = values_of(option.trials, objective)
        if len(values) <= FEW:
            dots += [(value, line) for value in values]
        else:
            spans.append((line, min(values), *quartiles(values), max(values)))
    if dots:
        panel.plot(*zip(*dots, strict=True), "o", color=style.DOMINATED, markersize=3.5, alpha=0.8)
    if spans:
        lines, lowest, low, middle, high, highest = zip(*spans, strict=True)
        panel.hlines(lines, lowest, highest, colors=style.EDGE, linewidth=1, zorder=2)
        panel.hlines(lines, low, high, colors=style.DOMINATED, linewidth=6, zorder=3)
        panel.plot(middle, lines, "|", color=style.INK, markersize=9, markeredgewidth=1.8, zorder=4)


def _draw_front(
    panel: Axes, choices: Sequence[Choice], objective: str, members: Collection[int]
) -> None:
    """Below the middle line of each row, so that the median stays to be seen."""
    places = [
        (value, line + 0.3)
        for line, _, option in _placed(choices)
        for value in values_of(on_front(option, members), objective)
    ]
    if places:
        xs, ys = zip(*places, strict=True)
        style.marks(panel, xs, ys, color=style.FRONT, size=4, edge=0.3, marker="^", zorder=5)


def _write_names(panel: Axes, choices: Sequence[Choice]) -> None:
    line = 0
    place: dict[str, Any] = {"transform": panel.get_yaxis_transform(), "va": "center"}
    edge = -NAMES / (panel.get_position().width * style.WIDTH) * 0.97
    for choice in choices:
        name = drawable(choice.name, limit=34)
        style.write(panel, edge, line, name, size=9, color=style.INK, fontweight="bold", **place)
        panel.axhline(line - 0.5, xmin=edge, color=style.EDGE, linewidth=0.5, clip_on=False)
        for option in choice.options:
            line += 1
            label = f"{drawable(option.label, limit=26)}  ({len(option.trials)})"
            style.write(panel, -0.03, line, label, size=8.5, ha="right", **place)
        line += 1


def _write_legend(
    figure: Figure,
    choices: Sequence[Choice],
    members: Collection[int],
    *,
    height: float,
    base: bool,
) -> None:
    """Of what is drawn, and of nothing else."""
    options = [option for choice in choices for option in choice.options]
    counts = [len(option.trials) for option in options]
    handles = []
    if any(count <= FEW for count in counts):
        handles.append(style.sample(style.DOMINATED, f"a trial (up to {FEW})"))
    if any(count > FEW for count in counts):
        handles += [
            style.sample(style.DOMINATED, "middle half", marker="", line="-", width=5),
            style.sample(style.INK, "median", marker="|"),
            style.sample(style.EDGE, "all", marker="", line="-"),
        ]
    if any(on_front(option, members) for option in options):
        handles.append(style.sample(style.FRONT, "on the front", marker="^"))
    if base:
        handles.append(style.sample(style.BASE, "base", marker="", line="--"))
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.1 / style.WIDTH, 1 - 0.05 / height),
        ncols=len(handles),
        frameon=False,
        fontsize=8.5,
        labelcolor=style.QUIET,
        handlelength=1.5,
        columnspacing=1.4,
    )


def _tooltip(choice: Choice, option: Option, axis: Axis, members: Collection[int]) -> str:
    values, front = values_of(option.trials, axis.objective), on_front(option, members)
    low, middle, high = quartiles(values)
    return (
        f"{choice.name} = {option.label} ({counted(len(values), 'trial')}): {axis.heading} median "
        f"{number(middle)}, middle half {number(low)} to {number(high)}, all {number(min(values))} "
        f"to {number(max(values))}; {len(front)} on the front"
    )
