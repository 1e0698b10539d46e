"""Samplers propose what they proposed: the same candidates at the same outcomes, in the same order.

Outcomes follow from the decisions alone. Some candidates break a constraint, of facts or measured,
and some fail; with two workers, a trial runs while the next one is proposed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from archdsl.identity import digest
from archdsl.records import Job, Measurement, Outcome, State
from archdsl.searching.loop import Search
from archdsl.searching.read import read_study
from archdsl.store.owner import Owner
from archdsl.store.store import Store, open_store

FILE = Path(__file__).parent / "assets/proposals.json"
GOLDEN: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
UNITS = {"latency": "ms", "top1": "%"}
LIMIT_MS = 8.0
SEARCHES = list(GOLDEN.get("searches", ()))


def versions() -> dict[str, str]:
    """Of what draws."""
    return {"optuna": optuna.__version__, "numpy": np.__version__}


def outcome_of(params: Mapping[str, Any]) -> Outcome:
    """What becomes of a candidate."""
    number = int(digest(dict(params)), 16)
    values = {"latency": 1 + number % 97 / 10, "top1": 50 + number // 97 % 89 / 2}
    if number % 11 == 0:
        return Outcome(state=State.FAILED, reason="it was not to be")
    measurements = tuple(
        Measurement(
            quantity=name,
            value=value,
            low=value,
            high=value,
            unit=UNITS[name],
            protocol={"evaluator": "synthetic/1"},
        )
        for name, value in values.items()
    )
    if values["latency"] > LIMIT_MS:
        return Outcome(
            state=State.INFEASIBLE,
            measurements=measurements[:1],
            reason="too slow",
            violation=values["latency"] / LIMIT_MS - 1,
        )
    return Outcome(state=State.COMPLETE, measurements=measurements)


class Nobody:
    """Watches a search."""

    def on_start(self, job: Job) -> None: ...

    def on_epoch(self, job: Job, epoch: int, name: str, value: float) -> None: ...

    def on_end(self, job: Job, outcome: Outcome) -> None: ...


def searched(study: Mapping[str, Any], *, workers: int) -> list[dict[str, Any]]:
    """The trials of a study in the current folder, after a search with that many workers at once.

    The worker that began first is the first to end.
    """
    Path("study.yaml").write_text(json.dumps(study))
    checked = read_study("study.yaml")
    with open_store("proposals.db") as store:
        row = store.studies.ensure(
            name=checked.study.name,
            document=checked.study.identity(),
            objectives=dict(checked.study.objectives),
        )
        search = Search(
            checked=checked,
            row=row,
            store=store,
            owner=Owner.current(),
            budget=checked.study.budget,
            protocols={},
            folder="files",
            observer=Nobody(),
        )
        running: list[Job] = []
        while True:
            while len(running) < workers and (job := search.next_job()) is not None:
                running.append(job)
            if not running:
                break
            ended = running.pop(0)
            search.on_outcome(ended, outcome_of(ended.params))
        found = trials_of(store, row.id)
    Path("proposals.db").unlink()
    return found


def trials_of(store: Store, study_id: int) -> list[dict[str, Any]]:
    return [
        {
            "arch_id": trial.arch_id,
            "params": dict(trial.params),
            "state": trial.state.value,
            "finish_order": trial.finish_order,
            "attempt": trial.attempt,
            "violation": trial.violation,
            "noted": digest([dict(trial.distributions), dict(trial.sampler_attrs)]),
        }
        for trial in store.trials.all(study_id)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "golden", SEARCHES, ids=[f"{each['sampler']}-{each['workers']}" for each in SEARCHES]
)
def test_proposals(
    golden: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if versions() != GOLDEN["versions"]:
        pytest.skip(f"they were drawn with {GOLDEN['versions']}, here is {versions()}")
    monkeypatch.chdir(tmp_path)
    study = {
        **GOLDEN["study"],
        "sampler": {"type": golden["sampler"], "seed": golden["seed"]},
        "budget": {"trials": golden["trials"]},
    }
    found = searched(study, workers=golden["workers"])
    for number, (trial, before) in enumerate(zip(found, golden["proposed"], strict=False)):
        assert trial == before, f"trial {number}"
    assert len(found) == len(golden["proposed"])
