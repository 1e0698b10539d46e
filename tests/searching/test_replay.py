"""Proposals are a function of what is stored: a stopped or killed search goes on as if not.

The comparison is of whole tables: every candidate, its decisions, what the sampler noted, every
state and value, in order.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import archdsl
from archdsl.records import State
from archdsl.searching.read import CheckedStudy
from archdsl.searching.run import SearchResult
from archdsl.store.store import Store, open_store

SPACE = """\
depth: {range: [1, 4]}
process: {dim: {choose: [32, 48, 64, 80]}}
memory: {embed: {patch_size: {choose: [1, 2, 4]}}}
exchange:
  choose:
    same: {}
    other: {read: {latent_ratio: {choose: [0.5, 1]}}, norm: {placement: pre}}
"""
BUDGETS = {"random": 12, "tpe": 24, "nsga2": 44}
CONSTRAINTS = ["params_m <= 0.15", "latency <= 10ms"]

# Runs a study and kills itself at the nth event: when a trial starts, and when it is committed.
KILLED = """
import os, signal, sys
from archdsl.runners.read import read_profile
from archdsl.searching.read import read_study
from archdsl.searching.run import run_search, watched_by
from archdsl.store.store import open_store

class Killer:
    left = int(sys.argv[2])
    def event(self, *rest):
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    on_start = on_epoch = on_end = event

run_search(read_study("study.yaml"), db=sys.argv[1], profile=read_profile("local"),
           observe=watched_by(Killer()))
"""

ReadStudy = Callable[..., CheckedStudy]
Run = Callable[..., SearchResult]
Table = list[dict[str, Any]]
TableOf = Callable[[Store], Table]


@pytest.fixture(params=list(BUDGETS))
def sampler(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def prepared(
    study: ReadStudy, write_values: Callable[[CheckedStudy], None]
) -> Callable[..., CheckedStudy]:
    """The study with a sampler; its table is written once."""

    def made(sampler: str, *, seed: int = 0, trials: int | None = None) -> CheckedStudy:
        checked = study(
            SPACE,
            sampler={"type": sampler, "seed": seed},
            constraints=CONSTRAINTS,
            trials=trials or BUDGETS[sampler],
        )
        if not Path("values.csv").exists():
            write_values(checked)
        return checked

    return made


@pytest.mark.slow
def test_raising_the_budget_again_and_again_changes_nothing(
    prepared: Callable[..., CheckedStudy], run: Run, sampler: str, store: Store,
    trials_table: TableOf,
) -> None:  # fmt: skip
    run(prepared(sampler))
    undisturbed = trials_table(store)
    budget = BUDGETS[sampler]
    with open_store("pieces.db") as pieces:
        for trials in (1, 2, 5, budget // 2, budget):
            run(prepared(sampler, trials=trials), store=pieces)
            assert sum(trial["counted"] for trial in trials_table(pieces)) == trials
        assert trials_table(pieces) == undisturbed


@pytest.mark.slow
def test_a_killed_search_goes_on_as_if_it_had_not_been(
    prepared: Callable[..., CheckedStudy], run: Run, sampler: str, store: Store,
    trials_table: TableOf,
) -> None:  # fmt: skip
    checked = prepared(sampler)
    run(checked)
    undisturbed = trials_table(store)
    for events in (0, 3, 8):
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, "killed.db", str(events)],
            env={**os.environ, "PYTHONPATH": str(Path(archdsl.__file__).parents[1])},
            timeout=60,
            check=False,
        )
        assert killed.returncode == -signal.SIGKILL
    with open_store("killed.db") as again:
        states = {trial["state"] for trial in trials_table(again)}
        assert State.RUNNING in states, "the last one died in the midst of a trial"
        run(checked, store=again)
        assert trials_table(again) == undisturbed


@pytest.mark.slow
def test_seeds(
    prepared: Callable[..., CheckedStudy], run: Run, store: Store, trials_table: TableOf
) -> None:
    run(prepared("random"))
    with open_store("equal.db") as equal, open_store("other.db") as other:
        run(prepared("random"), store=equal)
        run(prepared("random", seed=1), store=other)
        first, second, third = (trials_table(each) for each in (store, equal, other))
    assert first == second
    assert [trial["arch_id"] for trial in first] != [trial["arch_id"] for trial in third]


def test_the_base_is_trial_zero_and_nothing_is_tried_twice(
    prepared: Callable[..., CheckedStudy], run: Run, store: Store, trials_table: TableOf
) -> None:
    checked = prepared("nsga2")
    run(checked)
    trials = trials_table(store)
    base = checked.space.base_candidate()
    assert base is not None
    assert trials[0]["arch_id"] == base.plan.arch_id
    assert trials[0]["params"] == {}
    assert len({trial["arch_id"] for trial in trials}) == len(trials)
    assert [trial["number"] for trial in trials] == list(range(len(trials)))


@pytest.mark.slow
def test_a_search_learns_from_what_is_infeasible(
    study: ReadStudy, run: Run, store: Store, trials_table: TableOf
) -> None:
    """Random draws need many more candidates for as many that keep a tight constraint."""
    rows = {}
    for sampler in ("tpe", "random"):
        checked = study(
            "depth: {range: [1, 12]}\n"
            "process: {dim: {range: [16, 160], step: 16}, block: {mlp_ratio: {range: [1, 8]}}}",
            name=sampler,
            sampler={"type": sampler, "seed": 0},
            constraints=["params_m <= 0.05"],
            objectives={"params": "minimize", "macs": "maximize"},
            evaluate={},
            trials=25,
        )
        run(checked)
        rows[sampler] = len(store.trials.all(store.studies.find(sampler).id))
    assert rows["tpe"] < 0.7 * rows["random"]


def test_equal_architectures_are_one_candidate(
    study: ReadStudy, write_values: Callable[[CheckedStudy], None], run: Run, store: Store,
    trials_table: TableOf,
) -> None:  # fmt: skip
    """Two holes that say one thing twice: four ways to decide, two architectures."""
    checked = study("depth: {choose: [1, 2]}\nname: {choose: [one, two]}", trials=10)
    write_values(checked)
    done = run(checked)
    assert len(trials_table(store)) == 2
    assert "space exhausted: all 4 combinations give no new model" in (done.note or "")


def test_values_are_shared_between_studies_and_never_made_twice(
    study: ReadStudy, write_values: Callable[[CheckedStudy], None], run: Run, store: Store
) -> None:
    first = study("depth: {choose: [1, 2, 3]}", trials=3)
    write_values(first)
    run(first)
    row = run(study("depth: {choose: [3, 2, 1]}", trials=3, name="again")).row
    for trial in store.trials.all(row.id):
        assert (
            len([m for m in store.measurements.of_arch(trial.arch_id) if m.quantity == "top1"]) == 1
        )
