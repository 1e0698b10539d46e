"""The first part of a report: which networks are on the front, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from archdsl.analysis.dominance import dominates, losses
from archdsl.analysis.indistinguishable import REASON
from archdsl.reporting.front import Front, FrontRow, axis, points
from archdsl.reporting.markup import boxed, figure, paragraph, section, table, text
from archdsl.reporting.pages.findings import Findings
from archdsl.reporting.pages.members import with_cards
from archdsl.reporting.plots.front_picture import front_picture
from archdsl.reporting.plots.points import spread, thinned
from archdsl.reporting.text import number, with_interval
from archdsl.reporting.wording import (
    counted,
    heading,
    listed,
    state_words,
    title,
    trials_listed,
    value_words,
)
from archdsl.store.rows import Trial

HINT = "Point at a mark, touch it or reach it with the Tab key to see what it is."
MOST_FIRST, MOST_OTHER = 1000, 400
"""Points to draw in the picture of the first two objectives, and in each other one."""
MOST_LISTED = 400
"""Members in the table; of more, some all along the front."""
UNSTEADY = "~"


def front_section(found: Findings) -> str:
    """Sentences, a picture of each two objectives, and the table of the members."""
    front = found.front
    parts = [paragraph(words) for words in _told(front)]
    parts += list(_pictures(front))
    if front.rows:
        parts.append(paragraph("In brackets: the 95 % interval of the value before them."))
        parts.append(_table(found))
    return section("front", "The front", "\n".join(parts))


def _told(front: Front) -> Iterator[str]:
    total = len(front.rows) + len(front.others)
    states = [f"{len(front.rows):,} complete"]
    states += [f"{count:,} {state_words(state)}" for state, count in front.states.items()]
    yield f"{counted(total, 'trial')}: {', '.join(states)}."
    if not front.rows:
        yield "No trial is complete yet, so there is no front."
        return
    members = front.members
    yield (
        f"{len(members):,} of {counted(len(front.rows), 'complete trial')} "
        f"{'is' if len(members) == 1 else 'are'} on the front: no other trial is at least as good "
        "in everything and better in something."
    )
    yield _certainty(front)
    base = next((row for row in front.rows if row.base), None)
    for name, goal in front.study.objectives.items():
        yield _best(name, goal, members, base)
    if base is not None:
        yield _beaten(front, base)


def _certainty(front: Front) -> str:
    alike = [row for row in front.members if row.alike]
    if not alike:
        return "Every member can be told apart from all other trials."
    kept = len(front.robust_members)
    return (
        f"{_of_all(len(alike), len(front.members))} cannot be told apart from some other trial: "
        f"{REASON}. {counted(kept, 'trial')} "
        f"{'is' if kept == 1 else 'are'} beaten by none beyond the noise (the robust front)."
    )


def _of_all(some: int, total: int) -> str:
    if some == total:
        return "The only member" if total == 1 else f"All {total:,} members"
    return f"{some:,} of the {total:,} members"


def _best(name: str, goal: str, members: list[FrontRow], base: FrontRow | None) -> str:
    sign = 1 if goal == "minimize" else -1
    best = min(members, key=lambda row: sign * row.trial.values[name].value)
    word = "Lowest" if goal == "minimize" else "Highest"
    said = f"{word} {title(name)}: trial {best.trial.number} with {_value(best.trial, name)}"
    if base is None or best is base:
        return f"{said}{'' if base is None else ', the base itself'}."
    return f"{said}; the base has {_value(base.trial, name)}."


def _value(trial: Trial, name: str) -> str:
    return value_words(name, trial.values[name])


def _beaten(front: Front, base: FrontRow) -> str:
    if base.member:
        return f"The base (trial {base.trial.number}) is on the front itself."
    better = [row.trial.number for row in front.members if _is_better(front, row, base)]
    return (
        f"The base (trial {base.trial.number}) is not on the front: at least as good in everything "
        f"and better in something {'is' if len(better) == 1 else 'are'} "
        f"{trials_listed(better)}."
    )


def _is_better(front: Front, row: FrontRow, base: FrontRow) -> bool:
    goals = front.study.objectives
    mine, theirs = (
        losses({name: value.value for name, value in each.trial.values.items()}, goals)
        for each in (row, base)
    )
    return dominates(mine, theirs)


def _pictures(front: Front) -> Iterator[str]:
    goals = dict(front.study.objectives)
    first, *others = goals
    pairs = list(combinations(goals, 2)) if len(goals) <= 3 else [(first, name) for name in others]
    if len(goals) > 2 and front.rows:
        yield paragraph(
            f"The front is that of all {len(goals)} objectives. A picture shows two of them, so a "
            "member may look beaten there: it is better in what is not drawn.",
            kind="note",
        )
    for place, (x, y) in enumerate(pairs if front.rows else ()):
        rows = thinned(front.rows, most=MOST_OTHER if place else MOST_FIRST)
        left_out = len(front.rows) - len(rows)
        picture = front_picture(
            points(rows, x, y),
            x=axis(x, goals[x]),
            y=axis(y, goals[y]),
            title=f"{title(y)} against {title(x)}",
            left_out=left_out,
        )
        yield figure(picture, hint=HINT)
        if left_out:
            yield paragraph(
                f"To keep this page small, {left_out:,} of the dominated candidates are "
                "not drawn, a random part of them. They are counted everywhere.",
                kind="note",
            )


def _table(found: Findings) -> str:
    """Members, and the base where it is none; columns that would be empty are left out."""
    front = found.front
    members = spread(front.members, most=MOST_LISTED)
    rows = members + [row for row in front.rows if row.base and not row.member]
    cards = {member.row.trial.number for member in with_cards(found)}
    names = list(front.study.objectives)
    has_test, has_alike = any(r.test_top1 for r in rows), any(r.alike for r in rows)
    heads = ["trial", *map(heading, names)]
    heads += ["test top1 (%)"] if has_test else []
    heads += ["not told apart from"] if has_alike else []
    heads += ["params", "differs from the base in"]
    cells = []
    for row in rows:
        number_ = row.trial.number
        label = f"{number_} (base)" if row.base else f"{number_}"
        one = [f'<a href="#trial-{number_}">{label}</a>' if number_ in cards else label]
        one += [_cell(row, name) for name in names]
        if has_test:
            one.append(with_interval(*_ends(row)) if row.test_top1 else "–")
        if has_alike:
            one.append(boxed(listed(row.alike) or "–"))
        one += [_params(row), boxed(row.difference or "–")]
        cells.append(one)
    kinds = ["base" if row.base else "member" for row in rows]
    caption = "The front, and the base, which is not on it"
    if len(rows) == len(members):
        caption = "The front"
    note = ""
    if len(members) < len(front.members):
        note = f"{len(members):,} of the {len(front.members):,} members, all along the front. "
    if any(not row.steady for row in rows):
        note += f"{UNSTEADY} not steady; the part on how it was measured says why."
    return table(heads, cells, caption=caption, kinds=kinds) + paragraph(note, kind="note")


def _cell(row: FrontRow, name: str) -> str:
    value = row.trial.values[name]
    mark = UNSTEADY if name == "latency" and not row.steady else ""
    return text(mark + with_interval(value.value, value.low, value.high))


def _ends(row: FrontRow) -> tuple[float, float, float]:
    assert row.test_top1 is not None
    return row.test_top1.value, row.test_top1.low, row.test_top1.high


def _params(row: FrontRow) -> str:
    params = row.facts.get("params")
    return "–" if params is None else f"{number(params / 1e6)} M"
