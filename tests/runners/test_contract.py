"""What every executor promises: the same states, each outcome once, an exact budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from archdsl.records import Job, State
from archdsl.runners.make import make_runner
from archdsl.runners.profile import RunProfile
from archdsl.searching.read import read_study
from archdsl.searching.run import run_search
from archdsl.store.store import open_store

EXECUTORS: Mapping[str, Mapping[str, Any]] = {
    "local": {"executor": "local"},
    "local-workers": {"executor": "local", "workers": 2},
    "ray-local": {"executor": "ray", "training": {"device": "cpu", "cpus": 0.5}, "concurrent": 2},
}
ENDS = {
    "fail": State.FAILED,
    "nan": State.DIVERGED,
    "memory_error": State.OUT_OF_MEMORY,
    "segfault": State.CRASHED,
    "kill": State.CRASHED,
    "sleep": State.TIMED_OUT,
}
BASE = """\
archdsl: 1
name: tiny
image: {size: 8, channels: 1}
depth: 1
process:
  embed: {type: patch, patch_size: 4}
  dim: 16
  block: {type: transformer, head_dim: 8, mlp_ratio: 1}
output: {task: classify, num_classes: 10}
"""
STUDY = {
    "archdsl": 1,
    "kind": "study",
    "name": "contract",
    "base": "tiny",
    "space": {
        "depth": {"choose": [1, 2, 3, 4]},
        "process": {"block": {"mlp_ratio": {"choose": [1, 2, 3, 4]}}},
    },
    "objectives": {"latency": "minimize", "top1": "maximize"},
    "evaluate": {"latency": {"table": "values.csv"}, "top1": {"table": "values.csv"}},
    "budget": {"trials": 12},
    "sampler": {"type": "tpe", "seed": 3},
}


@pytest.fixture(
    params=["local", "local-workers", pytest.param("ray-local", marks=pytest.mark.slow)]
)
def profile(request: pytest.FixtureRequest, make_profile: Any) -> RunProfile:
    if request.param.startswith("ray"):
        pytest.importorskip("ray.tune", reason="an extra")
    made: RunProfile = make_profile(time_limit="3s", **EXECUTORS[request.param])
    return made


def test_every_end_has_its_state(
    *,
    profile: RunProfile,
    toys: Any,
    make_job: Callable[..., Job],
    source_of: Any,
    capfd: pytest.CaptureFixture[str],
) -> None:
    words = [*ENDS, "two_epochs", "two_epochs", "chatter", "kill_once", "kill_after_each_epoch"]
    source = source_of([make_job(number, top1=word) for number, word in enumerate(words)])
    stopped, trained = len(ENDS), len(ENDS) + 1
    source.stops = {(stopped, 1): "too little"}
    evaluate: dict[str, dict[str, Any]] = {"latency": {}, "top1": {}}
    with closing(make_runner(profile, evaluate=evaluate, make=toys.make)) as runner:
        runner.run(source)
        scored = list(runner.score([make_job(99, top1=71.0)], "top1"))
    found = {words[number]: source.outcomes[number].state for number in range(len(ENDS))}
    assert found == ENDS
    assert source.outcomes[stopped].state is State.STOPPED
    assert source.outcomes[stopped].reason == "too little"
    assert [m.quantity for m in source.outcomes[stopped].measurements] == ["latency"]
    assert {source.outcomes[n].state for n in range(trained, len(words))} == {State.COMPLETE}
    assert (
        "died 2 times without a new epoch in between, last: the worker process ended: SIGKILL"
        in (source.outcomes[words.index("kill")].reason)
    )
    assert [report[1] for report in source.reports if report[0] == stopped] == [1]
    assert [report[1] for report in source.reports if report[0] == trained] == [1, 2]
    assert sorted(source.outcomes) == list(range(len(words)))
    measured = [number for number, *_ in source.measured]
    assert sorted(measured) == list(range(len(words))), "none is made again after a death"
    assert scored[0][1].measurements[0].value == 71.0
    assert capfd.readouterr().out == "", "standard output is the command's"


def test_a_search_meets_its_budget_exactly_and_repeats_nothing(
    profile: RunProfile, toys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(BASE)
    Path("study.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    rows = [
        f"{depth},{ratio},{depth * ratio},{50 + depth * 3 + ratio}"
        for depth in range(1, 5)
        for ratio in range(1, 5)
    ]
    header = "depth,process.block.mlp_ratio,latency,top1"
    Path("values.csv").write_text("\n".join([header, ",,2,51", *rows]))
    checked = read_study("study.yaml")
    done = run_search(checked, db="archdsl.db", profile=profile)
    with open_store("archdsl.db") as store:
        trials = store.trials.all(done.row.id)
        front = store.trials.front(done.row.id)
    assert done.ran == 12
    assert [trial.state for trial in trials] == [State.COMPLETE] * 12
    assert len({trial.arch_id for trial in trials}) == 12
    points = [(t.values["latency"].value, t.values["top1"].value) for t in trials]
    best = {
        (latency, top1)
        for latency, top1 in points
        if not any(a <= latency and b >= top1 and (a, b) != (latency, top1) for a, b in points)
    }
    assert {(t.values["latency"].value, t.values["top1"].value) for t in front} == best
