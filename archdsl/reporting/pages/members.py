"""The part of a report that shows each member of the front for itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from archdsl.document.messages import counted
from archdsl.plan.expand import expand
from archdsl.records import Measurement
from archdsl.reporting.drawing.diagram import diagram_svg
from archdsl.reporting.formatting import (
    format_place,
    format_value,
    number,
    title,
    trials_listed,
    with_interval,
)
from archdsl.reporting.front import CompleteTrial
from archdsl.reporting.pages.findings import Findings, Member, MemberMistakes
from archdsl.reporting.plots.curve import curves
from archdsl.reporting.plots.points import spread
from archdsl.spec.model import ModelSpec

MOST_OPEN = 12
"""Members shown unfolded; of more, all are folded."""
MOST_DRAWN = 60
"""Members with a drawing on their card; of more, some all along the front."""


def members_section(found: Findings) -> dict[str, Any]:
    """A card for each member."""
    shown = found.members
    drawn = {member.row.trial.number for member in spread(shown, most=MOST_DRAWN)}
    return {
        "heading": "The members",
        "left_out": [
            *_left_out(len(found.results.members), len(shown), len(drawn)),
            *_without_mistakes(shown),
        ],
        "open": len(shown) <= MOST_OPEN,
        "cards": [_card(member, draw=member.row.trial.number in drawn) for member in shown],
    }


def _left_out(members: int, shown: int, drawn: int) -> Iterator[str]:
    if shown < members:
        yield (
            f"To keep this page small, {shown:,} of the {members:,} members, all along "
            "the front, have a card; `archdsl show NUMBER` tells all of any."
        )
    if drawn < shown:
        yield (
            f"Of these, {drawn:,} are drawn; `archdsl show NUMBER --diagram FILE.svg` draws any."
        )


def _without_mistakes(shown: Sequence[Member]) -> Iterator[str]:
    without = [each.row.trial.number for each in shown if isinstance(each.mistakes, str)]
    if without:
        yield f"No mistakes are shown of {trials_listed(without)}: there are no weights to ask."


def _card(member: Member, *, draw: bool) -> dict[str, Any]:
    row = member.row
    values = [
        f"{title(name)} {format_value(name, v, row.over.get(name, ''))}"
        for name, v in row.trial.values.items()
    ]
    return {
        "number": row.trial.number,
        "name": f"Trial {row.label}",
        "summary": "; ".join(values),
        "difference": _difference(row),
        "measured": list(_values(member)),
        "facts": list(_facts(member)),
        "curves": curves(member.epochs),
        "mistakes": _mistakes(member.mistakes),
        "drawing": _drawing(row) if draw else None,
    }


def _mistakes(found: MemberMistakes | str | None) -> dict[str, Any] | None:
    if not isinstance(found, MemberMistakes):
        return None
    wrong = f"{found.wrong:,} of {counted(found.images, 'image')} taken for another class"
    note = (
        f"Of {found.scored_on}, with the weights of seed {found.seed}. Shown are the "
        f"{len(found.pictures)} that the network was surest of, and in brackets the probabilities "
        "that it gave."
    )
    return {"summary": wrong, "note": note if found.pictures else "", "shown": found.pictures}


def _difference(row: CompleteTrial) -> str:
    if row.base:
        return "The base itself."
    return f"Differs from the base in: {row.difference}." if row.difference else ""


def _drawing(row: CompleteTrial) -> Markup:
    plan = expand(ModelSpec.model_validate(row.spec))
    return Markup(diagram_svg(plan, name=f"Trial {row.trial.number}"))


def _values(member: Member) -> Iterator[tuple[str, str]]:
    row = member.row
    for name, value in row.trial.values.items():
        behind = describe_samples(member.samples.get(name, ()))
        shown = format_value(name, value, row.over.get(name, ""))
        yield title(name), "; ".join(part for part in (shown, behind) if part)
    if not row.steady:
        reasons = row.measured["latency"].detail.get("unsteady") or ["its interval is wide"]
        yield "not steady", "; ".join(map(str, reasons))
    for name, test in row.tests.items():
        yield name.replace("_", " "), f"{with_interval(test)} {test.unit}"
    if row.indistinguishable:
        yield "not told apart from", trials_listed(row.indistinguishable)
    for each in member.beside:
        words = with_interval(each)
        yield "peak memory", f"{words} {each.unit}, on {format_place(each)}"


def _facts(member: Member) -> Iterator[tuple[str, str]]:
    facts = member.row.facts
    if "params" in facts:
        yield "params", f"{facts['params']:,.0f}"
    if member.row.unused:
        what, _, which = member.row.unused.partition(": ")
        yield what, which
    if "macs" in facts:
        yield "MACs for one image", f"{_macs(facts['macs'])}, LayerNorms at 5 an element"
    if "macs_fvcore" in facts:
        yield "MACs as fvcore counts", _macs(facts["macs_fvcore"])
    if "process_tokens" in facts:
        yield "tokens", f"{facts['process_tokens']} process, {facts['memory_tokens']} memory"
    yield "arch_id", member.row.trial.arch_id


def _macs(count: float) -> str:
    return f"{number(count / 1e9)} G" if count >= 1e8 else f"{number(count / 1e6)} M"


def describe_samples(measurements: Sequence[Measurement]) -> str:
    """What a value is made of: `72 samples in 3 blocks`, `344 of 359 images, 1 training`."""
    details = [each.detail for each in measurements]
    blocks = [block for detail in details for block in _rows(detail, "blocks_ms")]
    if blocks:
        samples = counted(sum(map(len, blocks)), "sample")
        made_of = f"median of {samples} in {counted(len(blocks), 'block')}"
    elif any("correct" in detail or "hits" in detail for detail in details):
        correct = [n for detail in details for n in _rows(detail, "correct")]
        correct += [sum(classes) for detail in details for classes in _rows(detail, "hits")]
        images = [n for detail in details for n in _rows(detail, "count")]
        trained = counted(len(correct), "training")
        made_of = f"{sum(correct):,} of {counted(sum(images), 'image')} right, {trained}"
    elif any("table" in each.protocol for each in measurements):
        made_of = "from a table"
    else:
        made_of = ""
    more = f"{len(measurements)} measurements" if len(measurements) > 1 and made_of else ""
    return ", ".join(part for part in (made_of, more) if part)


def _rows(detail: Any, name: str) -> list[Any]:
    found = detail.get(name)
    return found if isinstance(found, list) else []
