"""After a restart come the proposals that would have come, for every sampler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archdsl.identity import digest
from archdsl.records import Job, Measurement, Outcome, State
from archdsl.runners.interfaces import JobSource
from archdsl.searching.read import CheckedStudy
from archdsl.store.store import Store, open_store

SPACE = """\
depth: {range: [1, 8]}
process: {dim: {range: [16, 96], step: 16}, block: {mlp_ratio: {range: [0.5, 4], step: 0.5}}}
memory: {embed: {patch_size: {choose: [1, 2, 4]}}}
exchange:
  choose:
    same: {}
    other: {read: {latent_ratio: {choose: [0.25, 0.5, 1]}}, norm: {placement: pre}}
"""
BEFORE, AFTER = 40, 50

Begin = Callable[..., JobSource]
Table = list[dict[str, Any]]


def answer(job: Job) -> Outcome:
    """Some trade-off, and now and then a trial that comes to nothing."""
    number = int(digest(dict(job.params)), 16)
    if number % 7 == 0:
        return Outcome(state=list(State)[2 + number // 7 % 7], reason="so it is", violation=0.5)
    depth = float(job.params.get("depth", 2))
    values = {"latency": ("ms", depth + number % 100 / 50), "top1": ("%", 9 * depth + number % 13)}
    measurements = tuple(
        Measurement(quantity=name, value=v, low=v, high=v, unit=unit, protocol={"made": "up"})
        for name, (unit, v) in values.items()
    )
    return Outcome(state=State.COMPLETE, measurements=measurements)


def go_on(source: JobSource, jobs: int) -> None:
    for _ in range(jobs):
        job = source.next_job()
        assert job is not None
        source.on_outcome(job, answer(job))


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["random", "nsga2", "tpe"])
def test_the_next_fifty_proposals_are_those_that_would_have_come(
    study: Callable[..., CheckedStudy], begin: Begin, store: Store, sampler: str,
    trials_table: Callable[[Store], Table],
) -> None:  # fmt: skip
    checked = study(
        SPACE,
        sampler={"type": sampler, "seed": 5},
        constraints=["params_m <= 0.6"],
        trials=BEFORE + AFTER,
    )
    go_on(begin(checked), BEFORE + AFTER)
    undisturbed = trials_table(store)
    with open_store("restarted.db") as restarted:
        go_on(begin(checked, store=restarted), BEFORE)
        for _ in range(AFTER):
            # All that a sampler remembers is gone each time, but for what is stored.
            go_on(begin(checked, store=restarted), 1)
        found = trials_table(restarted)
    assert [trial["params"] for trial in found] == [trial["params"] for trial in undisturbed]
    assert found == undisturbed
    assert len({trial["state"] for trial in found}) > 4
