"""Memory before a training: estimated, then tried with one step, before anything is paid for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from archdsl.records import Job, Outcome, State
from archdsl.runners.evaluation import evaluate_job
from archdsl.runners.make import make_runner
from archdsl.runners.memory_preflight import make_preflight

ROOT = Path(__file__).parents[2]
SPEC = {
    "archdsl": 1,
    "name": "tiny",
    "image": {"size": 8, "channels": 1},
    "depth": 1,
    "process": {
        "embed": {"type": "patch", "patch_size": 4},
        "dim": 16,
        "block": {"type": "transformer", "head_dim": 8, "mlp_ratio": 2},
    },
    "output": {"task": "classify", "num_classes": 10},
}
WIDE = {
    **SPEC,
    "depth": 24,
    "image": {"size": 256, "channels": 3},
    "process": {**SPEC["process"], "dim": 4096},  # type: ignore[dict-item]
}


def job(spec: Mapping[str, Any]) -> Job:
    return Job(trial_id=1, number=0, arch_id="a", spec=spec, params={}, known=(), folder="unused")


def evaluate(**words: object) -> dict[str, dict[str, Any]]:
    return {"top1": {"data": "digits", "recipe": {"epochs": 1, **words}}}


def test_what_fits_passes_and_what_cannot_fit_is_refused_at_once(make_profile: Any) -> None:
    rehearse = make_preflight(evaluate(), make_profile())
    assert rehearse is not None
    rehearse(job(SPEC))
    large = make_preflight(evaluate(batch=65_536), make_profile())
    assert large is not None
    with pytest.raises(MemoryError, match=r"batches of 65536 takes at least \d+\.\d GiB, but cpu"):
        large(job(WIDE))


def test_tables_need_no_rehearsal(make_profile: Any) -> None:
    assert make_preflight({"top1": {"table": "values.csv"}, "latency": {}}, make_profile()) is None


@pytest.mark.slow
def test_a_candidate_without_room_is_an_outcome_and_nothing_is_measured(
    make_profile: Any, source_of: Callable[..., Any]
) -> None:
    runner = make_runner(make_profile(), evaluate=evaluate(batch=65_536))
    source = source_of([job(WIDE)])
    try:
        runner.run(source)
    finally:
        runner.close()
    outcome: Outcome = source.outcomes[0]
    assert outcome.state is State.OUT_OF_MEMORY
    assert "takes at least" in (outcome.reason or "")
    assert outcome.measurements == ()


def test_the_rehearsal_comes_before_what_is_measured_and_only_before_a_training(
    toys: Any, make_job: Callable[..., Job]
) -> None:
    def rehearse(candidate: Job) -> None:
        raise MemoryError("no room")

    evaluators = toys.make({"latency": {}, "top1": {}}, None)
    told: list[Any] = []
    for candidate, chosen, state in (
        (make_job(latency=1.0), evaluators, State.OUT_OF_MEMORY),
        (make_job(latency=1.0), evaluators[:1], State.COMPLETE),
    ):
        outcome = evaluate_job(
            candidate, chosen, bounds=(), report=lambda *seen: told.append(seen), preflight=rehearse
        )
        assert outcome.state is state
    known = evaluate_job(make_job(top1=3.0), evaluators[1:], bounds=(), report=print).measurements
    again = evaluate_job(
        make_job(known=known), evaluators, bounds=(), report=print, preflight=rehearse
    )
    assert again.state is State.COMPLETE, "no training is to come"


LITTLE_ROOM = """
import resource, psutil, torch
from archdsl.compiler.build import build
from archdsl.errors import ArchdslError
from archdsl.runners.evaluation import state_of
from archdsl.spec.model import ModelSpec
from archdsl.training.preflight import try_step
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.classification import Classification
import json, sys

model = build(ModelSpec.model_validate(json.loads(sys.argv[1])))
words = {"task": Classification(), "image_shape": (1, 8, 8), "device": torch.device("cpu")}
try_step(model, recipe=Recipe(batch=8), **words)
limit = psutil.Process().memory_info().vms + 2**28
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    try_step(model, recipe=Recipe(batch=60_000), **words)
except Exception as error:
    print(state_of(error))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits on memory are Linux's")
def test_a_step_that_runs_out_of_memory(tmp_path: Path) -> None:
    """The limit stands in for a machine that others have filled since the estimate."""
    done = subprocess.run(
        [sys.executable, "-c", LITTLE_ROOM, json.dumps(SPEC)],
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "ARCHDSL_LEASES": str(tmp_path / "leases"),
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == State.OUT_OF_MEMORY, done.stderr
