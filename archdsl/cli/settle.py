"""What `archdsl front --settle` says and shows while it spends."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.status import Status

from archdsl.cli.printing import duration, say
from archdsl.cli.process import Interruption, behind
from archdsl.reporting.formatting import trials_listed
from archdsl.runners.read import read_profile
from archdsl.searching.replicate import (
    Replicate,
    Replicated,
    ReplicationCost,
    counted,
    replicate,
    replication_cost,
)
from archdsl.searching.stored import refuse_damaged
from archdsl.store.rows import StudyRow
from archdsl.store.store import Store


def settle_front(
    store: Store, study: StudyRow, *, rounds: int, runner: str, any_device: bool
) -> dict[str, Any]:
    """State the budget, spend it as far as needed, say what came of it.

    Returns:
        The same for `--json`.

    Raises:
        ArchdslError: what cannot be measured here.
        Interruption: says what is made by then.
    """
    refuse_damaged(store, study)
    profile = read_profile(runner)
    agreed = replication_cost(store, study, rounds=rounds)
    say(_format_budget(agreed, study, rounds))
    if not agreed.purchases:
        return {"settled": _settled_json(agreed, None)}
    status = Status("", console=Console(stderr=True))
    made: Sequence[Replicate] = ()

    def watch(purchase: Replicate, before: Sequence[Replicate]) -> None:
        nonlocal made
        made = tuple(before)
        status.update(f"{_format_purchase(purchase)} (made {_format_progress(made, agreed)})")

    if sys.stderr.isatty():
        status.start()
    try:
        done = replicate(
            store,
            study,
            agreed=agreed,
            rounds=rounds,
            profile=profile,
            watch=watch,
            any_device=any_device,
        )
    except KeyboardInterrupt as interrupt:
        said = (
            f"interrupted; made and stored: {_format_progress(made, agreed)}\n"
            "the same command goes on from there"
        )
        raise Interruption(said, number=behind(interrupt).number) from None
    finally:
        status.stop()
    for line in _format_result(done, agreed, rounds):
        say(line)
    return {"settled": _settled_json(agreed, done)}


def _format_budget(agreed: ReplicationCost, study: StudyRow, rounds: int) -> str:
    numbers = ", ".join(map(str, agreed.indistinguishable))
    if not agreed.indistinguishable:
        return f"nothing to settle: all members of the front of '{study.name}' can be told apart"
    if not agreed.purchases:
        return (
            f"trials {numbers} of '{study.name}' cannot be told apart, and all that --rounds "
            f"{rounds} allows is spent on them; raise it to go on"
        )
    spent = _format_most(agreed)
    time = (
        "" if agreed.seconds is None else f", about {duration(agreed.seconds)} beside starting up"
    )
    return (
        f"settling trials {numbers} of '{study.name}', which cannot be told apart: "
        f"at most {spent}{time}"
    )


def _format_result(done: Replicated, agreed: ReplicationCost, rounds: int) -> list[str]:
    lines = [f"made {_format_progress(done.made, agreed)}"]
    lines += [f"{_format_purchase(purchase)} failed: {reason}" for purchase, reason in done.failed]
    numbers = ", ".join(map(str, done.indistinguishable))
    if done.left:
        fresh = sorted({each.trial.number for each in done.left})
        lines.append(
            f"trials {numbers} cannot be told apart; the same command goes on with "
            f"{trials_listed(fresh)}, unclear only since"
        )
    elif numbers:
        lines.append(
            f"trials {numbers} still cannot be told apart; --rounds {rounds + 1} spends more"
        )
    else:
        lines.append("all members can be told apart now")
    return lines


def _format_most(agreed: ReplicationCost) -> str:
    """`1 measurement and 3 trainings`; what there is none of is left out."""
    most = counted(agreed.purchases).items()
    return " and ".join(_format_count(count, words) for words, count in most if count)


def _format_progress(made: Sequence[Replicate], agreed: ReplicationCost) -> str:
    """`2 of at most 6 measurements and 4 of at most 12 trainings`."""
    so_far, most = counted(made), counted(agreed.purchases).items()
    return " and ".join(
        f"{so_far[words]} of at most {_format_count(count, words)}"
        for words, count in most
        if count
    )


def _format_count(count: int, words: str) -> str:
    return f"{count} {words if count > 1 else words[:-1]}"


def _format_purchase(purchase: Replicate) -> str:
    seeds = purchase.words.get("seeds")
    if seeds:
        return f"trial {purchase.trial.number}: training with seeds {', '.join(map(str, seeds))}"
    return f"trial {purchase.trial.number}: {purchase.objective}, repeat {purchase.turn}"


def _settled_json(agreed: ReplicationCost, done: Replicated | None) -> dict[str, Any]:
    return {
        "allowed": {**counted(agreed.purchases), "seconds": agreed.seconds},
        "made": counted(done.made if done else ()),
        "failed": [
            {"trial": purchase.trial.number, "objective": purchase.objective, "reason": reason}
            for purchase, reason in (done.failed if done else ())
        ],
        "not_told_apart": list(done.indistinguishable if done else agreed.indistinguishable),
    }
