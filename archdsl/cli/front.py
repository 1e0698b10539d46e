"""`archdsl front`: the Pareto front of a study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import DEFAULT_DB, Db, Debug, Json, StudyName
from archdsl.cli.printing import print_json, print_table, put
from archdsl.cli.stores import opened_study
from archdsl.cli.writing import refuse_foreign
from archdsl.document import messages
from archdsl.errors import ArchdslError

if TYPE_CHECKING:
    from archdsl.analysis.hypervolume import Growth
    from archdsl.reporting.front import CompleteTrial, StudyResults
    from archdsl.searching.baselines import MeasuredBaseline

MOST_LOST = 5
EXAMPLE = "Example: archdsl front --study digits --plot front.svg --published"


@handled
def command(
    db: Db = DEFAULT_DB,
    study: StudyName = None,
    robust: Annotated[
        bool,
        typer.Option("--robust", help="List the robust front: none is beaten beyond the noise."),
    ] = False,
    settling: Annotated[
        bool,
        typer.Option("--settle", help="Measure and train again what cannot be told apart."),
    ] = False,
    rounds: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="With --settle: how often each value may be measured again, in all (1).",
        ),
    ] = None,
    runner: Annotated[
        str | None, typer.Option(metavar="NAME", help="With --settle: the run profile (local).")
    ] = None,
    any_device: Annotated[
        bool, typer.Option("--any-device", help="With --settle: as the search was told.")
    ] = False,
    plot: Annotated[
        list[Path] | None,
        typer.Option("--plot", metavar="FILE", help="Draw it: .html, .png or .svg; repeatable."),
    ] = None,
    published: Annotated[
        bool,
        typer.Option("--published", help="With --plot: the paper's points too, apart and named."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With --plot: replace files that are no plots of it.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show the members of a study's Pareto front and what distinguishes each from the base.

    With --settle, first says what it may cost and then measures latency once more, and trains with
    two more seeds, exactly those members whose intervals overlap in every objective. The same
    command goes on after an interruption; raise --rounds to spend more.
    """
    from archdsl.cli.plots import check_plots, write_front
    from archdsl.reporting.front import read_front

    if not settling and (rounds or runner or any_device):
        raise ArchdslError("--rounds, --runner and --any-device have an effect only with --settle")
    plots = plot or []
    check_plots(plots, published=published)
    settled: dict[str, Any] = {}
    with opened_study(db, study, read_only=not settling) as (store, row):
        refuse_foreign(plots, study=row, force=force)
        if settling:
            from archdsl.cli.settle import settle_front

            settled = settle_front(
                store, row, rounds=rounds or 1, runner=runner or "local", any_device=any_device
            )
        front = read_front(store, row)
    if plots:
        write_front(front, plots, published=published)
    if as_json:
        files = {"plots": [str(path) for path in plots]} if plots else {}
        print_json({**front_json(front, robust=robust), **settled, **files})
        return
    print_front(front, robust=robust, settled=settling)
    for path in plots:
        put(f"plot      {path}")


def print_front(front: StudyResults, *, robust: bool = False, settled: bool = False) -> None:
    """The front as a table, with the device and conditions beneath.

    Args:
        robust: the robust front's members.
        settled: `--settle` has just said what more it could do.
    """
    from archdsl.reporting.front import describe_baseline, describe_hypervolume
    from archdsl.reporting.front_table import UNSTEADY, TerminalTable

    if not front.rows:
        put(f"no trial of '{front.study.name}' is complete, so there is no front")
        for line in _others(front):
            put(line)
        return
    listed = front.robust_members if robust else front.members
    table = TerminalTable(listed, list(front.study.objectives))
    kind = "robust front" if robust else "front"
    title = f"{kind} of '{front.study.name}': {len(listed)} of {len(front.rows)} complete trials"
    print_table(table.headings, table.cells, title=title)
    base = front.base
    if base and base not in listed:
        values = ", ".join(table.named_values(base))
        put(f"base (trial {base.trial.number}) is not on the {kind}: {values}")
    for line in _others(front):
        put(line)
    for test in table.tests:
        unscored = [str(row.trial.number) for row in front.members if test not in row.tests]
        if unscored:
            name, which = test.replace("_", " "), ", ".join(unscored)
            put(f"no {name} yet for {which}: the same search command takes it")
    if table.has_indistinguishable:
        hint = "" if settled else "; archdsl front --settle measures them again"
        put(f"{_format_indistinguishable(front)}{hint}")
    if any(not row.steady for row in listed):
        put(
            f"{UNSTEADY} not steady: the machine was not ours alone, or the interval did not close "
            "in time; archdsl report says which"
        )
    for line in _wide(listed):
        put(line)
    for line in _unused(listed):
        put(line)
    for baseline in front.baselines:
        put(describe_baseline(front, baseline))
    put(describe_hypervolume(front))
    for line in filter(None, (front.conditions, front.intervals)):
        put(line)


def front_json(front: StudyResults, *, robust: bool = False) -> dict[str, Any]:
    """The front as plain data."""
    return {
        "study": front.study.name,
        "objectives": dict(front.study.objectives),
        "conditions": front.conditions,
        "complete": len(front.rows),
        "not_complete": front.states,
        "lost": [
            {"trial": trial.number, "state": trial.state.value, "reason": trial.reason}
            for trial in front.lost
        ],
        "robust": robust,
        "members": [_member(row) for row in (front.robust_members if robust else front.members)],
        "not_told_apart": sorted(row.trial.number for row in front.indistinguishable),
        "hypervolume": _growth_json(front.growth) if front.growth else None,
        **({"baselines": list(map(_baseline, front.baselines))} if front.baselines else {}),
    }


def _baseline(found: MeasuredBaseline) -> dict[str, Any]:
    from archdsl.reporting.formatting import values_record

    return {
        "name": found.name,
        "arch_id": found.arch_id,
        "values": values_record(found.values, {}),
        **{name: score.value for name, score in found.tests.items()},
        "facts": dict(found.facts),
    }


def _growth_json(growth: Growth) -> dict[str, Any]:
    return {
        "value": growth.value,
        "last_grew": growth.last_grew,
        "reference": dict(growth.reference),
        "reference_from": growth.reference_from,
        "series": [{"trial": trial, "hypervolume": value} for trial, value in growth.series],
    }


def _others(front: StudyResults) -> Iterator[str]:
    if front.states:
        counts = ", ".join(f"{count} {state}" for state, count in front.states.items())
        yield f"not complete: {counts}"
    if front.left:
        left = messages.listed(sorted(front.left))
        yield f"  left by a search that ended: trial {left}; the same search command goes on"
    for trial in front.lost[:MOST_LOST]:
        yield f"  trial {trial.number} {trial.state.value}: {trial.reason}"
    if len(front.lost) > MOST_LOST:
        yield f"  and {len(front.lost) - MOST_LOST} more; archdsl front --json names them all"


def _wide(listed: Sequence[CompleteTrial]) -> Iterator[str]:
    """Which latencies are hardly known."""
    from archdsl.reporting.front import WIDE_SHARE

    found = [
        f"trial {row.trial.number} ({100 * row.latency_width:.0f} %)"
        for row in listed
        if row.latency_width > WIDE_SHARE
    ]
    if found:
        yield (
            f"hardly known, its interval being more than {100 * WIDE_SHARE:.0f} % of it: "
            f"the latency of {', '.join(found)}"
        )


def _unused(listed: Sequence[CompleteTrial]) -> Iterator[str]:
    """What of some networks has no influence on what they predict, each such sentence once."""
    from archdsl.reporting.front_table import UNUSED

    by_sentence: dict[str, list[str]] = {}
    for row in listed:
        if row.unused:
            by_sentence.setdefault(row.unused, []).append(str(row.trial.number))
    for sentence, numbers in by_sentence.items():
        yield f"{UNUSED} trial {', '.join(numbers)}: {sentence}"
    if by_sentence:
        yield "  the constraint unused_share <= 0 in a study keeps such networks out"


def _format_indistinguishable(front: StudyResults) -> str:
    from archdsl.analysis.indistinguishable import REASON

    members = [row for row in front.members if row.indistinguishable]
    beaten = len(front.indistinguishable) - len(members)
    which = f" ({beaten} more {'is' if beaten == 1 else 'are'} on the robust front only)"
    return (
        f"{len(members)} of the front's {len(front.members)} cannot be told apart from other trials"
        f"{which if beaten else ''}: {REASON}"
    )


def _member(row: CompleteTrial) -> dict[str, Any]:
    return {
        "trial": row.trial.number,
        "arch_id": row.trial.arch_id,
        "base": row.base,
        "on_front": row.member,
        "not_told_apart_from": list(row.indistinguishable),
        **row.record(),
    }
