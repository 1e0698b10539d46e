"""`archdsl watch`: a running search, seen from another terminal."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from archdsl.cli.handling import handled
from archdsl.cli.live import changes, picture
from archdsl.cli.options import DEFAULT_DB, Db, Debug, Json, StudyName
from archdsl.cli.printing import print_json, put, say
from archdsl.cli.process import Interruption
from archdsl.cli.stores import existing_store, opened_study
from archdsl.errors import StudyError
from archdsl.printable import clean

if TYPE_CHECKING:
    from archdsl.reporting.live import Follower, Snapshot

EXAMPLE = "Example: archdsl watch --study digits --once"
SECONDS = 1.0


@handled
def command(
    db: Db = DEFAULT_DB,
    study: StudyName = None,
    once: Annotated[
        bool, typer.Option("--once", help="Show how it stands now, and end; so does --json.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Follow a search that runs elsewhere: trials, time left, what runs now, the front so far.

    Reads the database once a second, in transactions that keep no search waiting, and writes
    nothing. The time left is an estimate: what the last 20 trials took, times those that are left.
    Ends when the search has: its budget or its space is spent; or with Ctrl-C. Without a terminal:
    one line for each change.
    """
    if once or as_json:
        now, _ = _look(db, study, None)
        if as_json:
            print_json(snapshot_json(now))
        else:
            Console(highlight=False).print(picture(now))
        return
    try:
        _wait_for_study(db, study)
        _follow(db, study)
    except Interruption:
        raise
    except KeyboardInterrupt:
        return


def _wait_for_study(db: str, study: str | None) -> None:
    """A watch may begin before its search."""
    from archdsl.store.errors import NoDatabaseError
    from archdsl.store.location import shown

    announced = False
    while True:
        try:
            with existing_store(db) as store:
                if store.studies.all():
                    return
        except NoDatabaseError:
            pass
        if not announced:
            say(f"{shown(db)} holds no study yet; waiting for `archdsl search` (Ctrl-C ends this)")
            announced = True
        time.sleep(SECONDS)


def _follow(db: str, study: str | None) -> None:
    from rich.live import Live

    now, follower = _look(db, study, None)
    study = now.study.name
    if not sys.stdout.isatty():
        before = None
        while True:
            for text in changes(before, now):
                put(text, flush=True)
            if now.over:
                break
            time.sleep(SECONDS)
            before, (now, follower) = now, _look(db, study, follower)
    else:
        with Live(picture(now), auto_refresh=False) as live:
            while not now.over:
                time.sleep(SECONDS)
                now, follower = _look(db, study, follower)
                live.update(picture(now), refresh=True)
    for why in _why_over(db, now):
        put(clean(why))


def _why_over(db: str, now: Snapshot) -> list[str]:
    """What the search itself says at its end, in lines; none where all went as asked for."""
    from archdsl.searching.stored import why_nothing

    if now.front:
        return (now.study.ended or "").splitlines()
    with opened_study(db, now.study.name) as (store, row):
        return why_nothing(store.trials.all(row.id), note=row.ended).splitlines()


def _look(db: str, study: str | None, follower: Follower | None) -> tuple[Snapshot, Follower]:
    """Nothing stays open between two looks: a database may be moved, removed and made anew."""
    from archdsl.reporting.live import Follower

    try:
        with opened_study(db, study) as (store, row):
            follower = follower or Follower(study_id=row.id)
            return follower.look(store), follower
    except StudyError:
        if follower is None:
            raise
        raise StudyError(
            f"the study is gone from {db}: its search ended with nothing to keep, as where the "
            "base cannot be evaluated, or somebody deleted it"
        ) from None


def snapshot_json(now: Snapshot) -> dict[str, Any]:
    """A snapshot as plain data; times in seconds."""
    return {
        "study": now.study.name,
        "objectives": dict(now.study.objectives),
        "budget": now.study.budget,
        "done": now.done,
        "over": now.over,
        "seconds_left": now.seconds_left,
        "states": {state.value: count for state, count in now.counts.states.items()},
        "running": [
            {
                "trial": each.number,
                "owner": each.owner,
                "alive": each.alive,
                "claimed_at": each.claimed_at,
                "measured": sorted(each.measured),
                "epoch": each.epoch,
                "reported": {
                    name: value if math.isfinite(value) else None
                    for name, value in each.reported.items()
                },
            }
            for each in now.running
        ],
        "front": [
            {
                "trial": each.number,
                "arch_id": each.arch_id,
                "values": {name: value.value for name, value in each.values.items()},
            }
            for each in now.front
        ],
        "failures": [
            {"trial": each.number, "state": each.state.value, "reason": each.reason}
            for each in now.failures
        ],
    }
