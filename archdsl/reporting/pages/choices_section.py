"""The part of a report that sets choices against objectives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from archdsl.analysis.choices import Choice
from archdsl.reporting.front import Front, axis
from archdsl.reporting.markup import figure, folded, paragraph, section, table, text
from archdsl.reporting.pages.findings import Findings
from archdsl.reporting.plots.choices_plot import ChoiceRows, OptionRow, choices_picture, quartiles
from archdsl.reporting.text import number
from archdsl.reporting.wording import counted, heading
from archdsl.store.rows import Trial

MOST_CHOICES, MOST_ROWS = 30, 160
"""To draw; of more, the most important ones are."""
HINT = "Point at a row, or touch it, to read its numbers."


def choices_section(found: Findings) -> str:
    """For each option of each choice, where the trials that took it lie."""
    front = found.front
    if not found.choices:
        return section(
            "choices", "Choices against objectives", paragraph("No complete trial made choices.")
        )
    order = {each.name: place for place, each in enumerate(found.importances.choices)}
    ordered = sorted(found.choices, key=lambda choice: order[choice.name])
    drawn = list(_drawable(ordered))
    rows = [_rows(choice, front) for choice in drawn]
    base = next((row.trial.values for row in front.rows if row.base), {})
    goals = front.study.objectives
    parts = [
        paragraph(
            "One row for each option, the number of complete trials that took it in brackets. A "
            "choice matters where its rows lie apart; the triangles are the members of the front. "
            "Choices that come with an option of another one are compared within it."
        )
    ]
    if len(drawn) < len(ordered):
        parts.append(
            paragraph(
                f"Drawn are the {len(drawn)} most important of {len(ordered)} choices.", kind="note"
            )
        )
    picture = choices_picture(
        rows,
        axes={name: axis(name, goal) for name, goal in goals.items()},
        base={name: value.value for name, value in base.items()},
        title="Choices against objectives",
    )
    parts += [figure(picture, hint=HINT), folded("The same as a table", _table(rows, list(goals)))]
    return section("choices", "Choices against objectives", "\n".join(parts))


def _drawable(ordered: Sequence[Choice]) -> Iterator[Choice]:
    lines = 0
    for choice in ordered[:MOST_CHOICES]:
        lines += 1 + len(choice.options)
        if lines > MOST_ROWS:
            return
        yield choice


def _rows(choice: Choice, front: Front) -> ChoiceRows:
    members = {row.trial.number for row in front.members}
    names = list(front.study.objectives)
    return ChoiceRows(
        name=choice.name,
        options=[
            OptionRow(
                label=option.label,
                values={name: _values(option.trials, name) for name in names},
                front={
                    name: _values([t for t in option.trials if t.number in members], name)
                    for name in names
                },
            )
            for option in choice.options
        ],
    )


def _values(trials: Sequence[Trial], name: str) -> list[float]:
    return [trial.values[name].value for trial in trials]


def _table(rows: Sequence[ChoiceRows], names: Sequence[str]) -> str:
    heads = ["choice", "option", "trials", "on the front"]
    heads += [f"{heading(name)}: median (middle half)" for name in names]
    cells = []
    for choice in rows:
        for option in choice.options:
            own = [text(choice.name), text(option.label)]
            own += [str(len(option.values[names[0]])), str(len(option.front[names[0]]))]
            for name in names:
                low, _, high = quartiles(option.values[name])
                middle = number(median(option.values[name]))
                own.append(f"{middle} ({number(low)} to {number(high)})")
            cells.append(own)
    total = counted(sum(len(choice.options) for choice in rows), "option")
    return table(heads, cells, caption=f"Choices against objectives: {total}")
