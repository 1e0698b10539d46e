"""A sampler of a user's own: what it is shown, what it may ask, and what becomes of its proposals.

That optuna's samplers propose what they always proposed is pinned by `tests/goldens`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import optuna
import pytest

from archdsl.records import State
from archdsl.runners.interfaces import JobSource
from archdsl.searching.read import CheckedStudy
from archdsl.searching.run import SearchResult
from archdsl.searching.samplers import History, HistoryRow, Proposal
from archdsl.space.space import Space
from archdsl.store.store import Store

SPACE = """\
depth: {range: [1, 4]}
process: {dim: {choose: [32, 48]}, block: {head_dim: {choose: [16, 32]}}}
"""
"""16 combinations, of which 12 are models: no head of 32 divides a width of 48."""

ReadStudy = Callable[..., CheckedStudy]
Run = Callable[..., SearchResult]
TableOf = Callable[[Store], list[dict[str, Any]]]


class Smallest:
    """The candidates with the fewest parameters first."""

    def __init__(self) -> None:
        self.histories: list[History] = []
        self.running: list[HistoryRow] = []

    def propose(self, space: Space, history: History, *, number: int) -> Iterator[Proposal]:
        self.histories.append(history)
        self.running = list(history.running)
        valid = [candidate for candidate in space.enumerate() if candidate.is_valid]
        for candidate in sorted(valid, key=lambda each: each.facts["params"]):
            yield Proposal(candidate=candidate, attributes={"proposed for": number})


@pytest.fixture
def small(study: ReadStudy, write_values: Callable[[CheckedStudy], None]) -> CheckedStudy:
    checked = study(SPACE, trials=12)
    write_values(checked)
    return checked


def test_candidates_are_ranked_by_their_facts(
    small: CheckedStudy, run: Run, store: Store, trials_table: TableOf
) -> None:
    sampler = Smallest()
    run(small, sampler=sampler)
    trials = trials_table(store)
    assert [trial["number"] for trial in trials] == list(range(12))
    assert trials[0]["params"] == {}, "the base is nobody's proposal"
    facts = [store.architectures.find(trial["arch_id"]).facts["params"] for trial in trials[1:]]
    assert facts == sorted(facts)
    assert [trial["sampler_attrs"] for trial in trials[1:]] == [
        {"proposed for": number} for number in range(1, 12)
    ]
    assert [row.number for row in sampler.histories[-1].finished] == list(range(11))


def test_what_it_is_shown_of_the_trials_before(
    small: CheckedStudy, begin: Callable[..., JobSource], store: Store
) -> None:
    sampler = Smallest()
    source = begin(small, sampler=sampler)
    jobs = [source.next_job() for _ in range(3)]
    running = sampler.running
    assert [row.number for row in running] == [0, 1]
    assert {row.state for row in running} == {State.RUNNING}
    for row, job in zip(running, jobs, strict=False):
        assert job is not None
        assert (row.arch_id, row.params, row.values) == (job.arch_id, job.params, None)
        assert row.facts == store.architectures.find(job.arch_id).facts
    assert not sampler.histories[-1].finished


def test_what_is_not_new_or_no_model_is_passed_over(
    small: CheckedStudy, run: Run, store: Store, trials_table: TableOf
) -> None:
    class InOrder:
        def propose(self, space: Space, history: History, *, number: int) -> Iterator[Proposal]:
            return (Proposal(candidate=candidate) for candidate in space.enumerate())

    run(small, sampler=InOrder())
    ways = [candidate for candidate in small.space.enumerate() if candidate.is_valid]
    base = trials_table(store)[0]["arch_id"]
    expected = [dict(each.params) for each in ways if each.model.plan.arch_id != base]
    trials = trials_table(store)[1:]
    assert [trial["params"] for trial in trials] == expected
    assert trials[0]["attempt"] == 0
    assert trials[-1]["attempt"] == 14, "all before it were passed over"


def test_where_it_has_no_more_to_propose_the_space_is_enumerated(
    small: CheckedStudy, run: Run, store: Store, trials_table: TableOf
) -> None:
    class Silent:
        def propose(self, space: Space, history: History, *, number: int) -> Iterator[Proposal]:
            return iter(())

    run(small, sampler=Silent())
    assert len(trials_table(store)) == 12
    assert all(trial["state"] is State.COMPLETE for trial in trials_table(store))


def test_a_search_goes_on_with_another_sampler(
    study: ReadStudy, small: CheckedStudy, run: Run, store: Store, trials_table: TableOf
) -> None:
    """What one sampler has found the other learns from: all rows say what was chosen from what."""
    run(study(SPACE, trials=5, sampler={"type": "tpe", "seed": 0}), sampler=Smallest())
    run(small)
    assert len(trials_table(store)) == 12


def test_what_a_user_set_of_optunas_messages_holds_afterwards(
    small: CheckedStudy, run: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.INFO)
    try:
        run(small)
        assert optuna.logging.get_verbosity() == optuna.logging.INFO
    finally:
        optuna.logging.set_verbosity(before)
    assert "study" not in capfd.readouterr().err
