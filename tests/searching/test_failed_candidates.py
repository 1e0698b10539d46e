"""A candidate that dies, in whatever way, is an outcome with its reason, and the sampler learns."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from archdsl.records import Job, Measurement, Outcome, State
from archdsl.runners.interfaces import JobSource
from archdsl.runners.make import make_runner
from archdsl.runners.profile import RunProfile
from archdsl.searching.read import CheckedStudy
from archdsl.store.rows import Trial
from archdsl.store.store import Store

Begin = Callable[..., JobSource]

FATES = '''
import ctypes, math, time
from archdsl.records import Measurement

class DivergedError(Exception):
    """As a training raises it."""

class Fate:
    """What befalls a candidate is decided by its depth."""

    def __init__(self, quantity):
        self.quantity = quantity

    def protocol(self):
        return {"evaluator": f"fate-{self.quantity}"}

    def measure(self, candidate, *, report):
        value = 1.0
        if self.quantity == "top1":
            value = getattr(self, candidate.params.get("fate", "live"))()
        return Measurement(quantity=self.quantity, value=value, low=value, high=value, unit="ms",
                           protocol=self.protocol())

    def live(self):
        return 1.0

    def need_memory(self):
        return bytearray(2**62)

    def diverge(self):
        raise DivergedError("the loss became nan in epoch 1, step 3")

    def nan(self):
        return math.nan

    def dawdle(self):
        time.sleep(60)

    def segfault(self):
        ctypes.string_at(0)

    def stumble(self):
        raise TypeError("no such thing")

def make(evaluate, profile):
    return [Fate(quantity) for quantity in evaluate]
'''
ENDS: Mapping[str, tuple[State, str]] = {
    "live": (State.COMPLETE, ""),
    "need_memory": (State.OUT_OF_MEMORY, "MemoryError"),
    "diverge": (State.DIVERGED, "the loss became nan in epoch 1, step 3"),
    "nan": (State.DIVERGED, "top1 is nan"),
    "dawdle": (State.TIMED_OUT, "not done within the run profile's time_limit of 1 s"),
    "segfault": (State.CRASHED, "SIGSEGV"),
    "stumble": (State.FAILED, "TypeError: no such thing"),
}
PROFILE = {
    "archdsl": 1,
    "kind": "runner",
    "name": "x",
    "executor": "local",
    "time_limit": "1s",
}


@pytest.fixture
def fates(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of evaluators, where a worker process finds it by name."""
    (folder / "modules").mkdir()
    (folder / "modules" / "archdsl_fates.py").write_text(FATES)
    monkeypatch.syspath_prepend(folder / "modules")
    sys.modules.pop("archdsl_fates", None)
    return importlib.import_module("archdsl_fates")


@pytest.mark.slow
def test_every_end_is_recorded_and_the_study_goes_on(
    study: Callable[..., CheckedStudy], begin: Begin, store: Store, fates: Any
) -> None:
    # Every fate is a decision of its own about what does not matter here.
    options = "\n".join(f"  {name}: {{depth: {n}}}" for n, name in enumerate(ENDS, start=3))
    checked = study(f"as: fate\nchoose:\n{options}", sampler={"type": "random"}, trials=8)
    profile = RunProfile.model_validate(PROFILE)
    runner = make_runner(profile, evaluate={"latency": {}, "top1": {}}, make=fates.make)
    try:
        runner.run(begin(checked))
    finally:
        runner.close()
    row = store.studies.find("small")
    ended = {str(trial.params.get("fate", "base")): trial for trial in store.trials.all(row.id)}
    assert ended.keys() == {"base", *ENDS}
    for fate, (state, reason) in ENDS.items():
        assert ended[fate].state is state, ended[fate]
        assert reason in (ended[fate].reason or "")
        assert latency_kept(store, ended[fate])
    assert store.claims.of_study(row.id) == []


def latency_kept(store: Store, trial: Trial) -> bool:
    """What was measured before a candidate came to its end; a process takes it along."""
    died = trial.state in (State.TIMED_OUT, State.CRASHED)
    return died or [m.quantity for m in store.measurements.of_arch(trial.arch_id)][:1] == [
        "latency"
    ]


BAD = (64, 96)
LEARNT_FROM = (State.OUT_OF_MEMORY, State.DIVERGED, State.TIMED_OUT, State.CRASHED)


@pytest.mark.slow
@pytest.mark.parametrize("state", LEARNT_FROM)
def test_samplers_keep_away_from_what_comes_to_a_bad_end(
    study: Callable[..., CheckedStudy], begin: Begin, store: Store, state: State
) -> None:
    """Two options of three give no result; a random search would take them 20 times of 30."""
    checked = study(
        "depth: {range: [1, 24]}\n"
        "process: {dim: {choose: [32, 64, 96]}, block: {mlp_ratio: {range: [1, 8], step: 0.25}}}\n"
        "exchange: {read: {latent_ratio: {choose: [0.25, 0.5, 1]}}}",
        trials=60,
    )
    source = begin(checked)
    while (job := source.next_job()) is not None:
        bad = job.params.get("process.dim") in BAD
        source.on_outcome(job, Outcome(state=state, reason="so it is") if bad else complete(job))
    trials = store.trials.all(store.studies.find("small").id)
    taken = [trial.params.get("process.dim") in BAD for trial in trials]
    assert sum(taken[:15]) > 5, "they were tried"
    assert sum(taken[-30:]) < 10
    assert {trial.state for trial in trials} == {State.COMPLETE, state}


def complete(job: Job) -> Outcome:
    depth, ratio = (float(job.params.get(name, 2)) for name in ("depth", "process.block.mlp_ratio"))
    values = {"latency": ("ms", depth + ratio), "top1": ("%", 5 * depth + ratio)}
    return Outcome(
        state=State.COMPLETE,
        measurements=tuple(
            Measurement(quantity=name, value=v, low=v, high=v, unit=unit, protocol={"made": "up"})
            for name, (unit, v) in values.items()
        ),
    )
