"""Small studies, written as files and read through the public door."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from archdsl.errors import DocumentError, Problem
from archdsl.records import Job, Outcome
from archdsl.runners.interfaces import JobSource
from archdsl.runners.read import read_profile
from archdsl.searching.loop import Search
from archdsl.searching.read import CheckedStudy, read_study
from archdsl.searching.run import SearchResult, run_search
from archdsl.space.deciders import Recorder
from archdsl.store.owner import Owner
from archdsl.store.store import Store, open_store

BASE = """\
archdsl: 1
name: tiny
image: {size: 8, channels: 1}
depth: 2
process:
  embed: {type: patch, patch_size: 4}
  dim: 32
  block: {type: transformer, head_dim: 16, mlp_ratio: 1}
memory:
  embed: {type: patch, patch_size: 2}
exchange:
  read: {type: linear_attention, latent_ratio: 0.5, fusion: add}
  write: {type: linear_attention, latent_ratio: 0.5, fusion: add}
output: {task: classify, num_classes: 10, pool: mean, streams: [memory, process], predict: memory}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder with a base, `tiny`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(BASE)
    return tmp_path


class Quiet:
    """Watches a search, and keeps the numbers of what ended."""

    def __init__(self) -> None:
        self.ended: list[int] = []

    def on_start(self, job: Job) -> None: ...

    def on_epoch(self, job: Job, epoch: int, name: str, value: float) -> None: ...

    def on_end(self, job: Job, outcome: Outcome) -> None:
        self.ended.append(job.number)


WriteStudy = Callable[..., Path]


@pytest.fixture
def write_study(folder: Path) -> WriteStudy:
    """Writes `study.yaml`: `write_study("depth: {choose: [1, 2]}", trials=4)`."""

    def written(space: str, *, trials: int = 6, **words: Any) -> Path:
        document = {
            "archdsl": 1,
            "kind": "study",
            "name": "small",
            "base": "tiny",
            "objectives": {"latency": "minimize", "top1": "maximize"},
            "evaluate": {"latency": {"table": "values.csv"}, "top1": {"table": "values.csv"}},
            "budget": {"trials": trials},
            "sampler": {"type": "tpe", "seed": 0},
        } | words
        kept = {key: value for key, value in document.items() if value is not None}
        lines = "\n".join(f"  {line}" for line in space.splitlines())
        path = folder / "study.yaml"
        path.write_text(f"{yaml.safe_dump(kept, sort_keys=False)}space:\n{lines}\n")
        return path

    return written


ReadStudy = Callable[..., CheckedStudy]


@pytest.fixture
def study(write_study: WriteStudy) -> ReadStudy:
    """Writes a study and reads it back."""

    def read(space: str, **words: Any) -> CheckedStudy:
        return read_study(str(write_study(space, **words)))

    return read


@pytest.fixture
def problems(study: ReadStudy) -> Callable[..., tuple[Problem, ...]]:
    """The problems of a study, which must have some."""

    def found(space: str, **words: Any) -> tuple[Problem, ...]:
        with pytest.raises(DocumentError) as caught:
            study(space, **words)
        return caught.value.problems

    return found


def values_of(number: int) -> tuple[float, float]:
    """Latency and accuracy of the nth row of a table: a trade-off with bumps."""
    return 1 + number * 7 % 11, 50 + number * 5 % 13


@pytest.fixture
def write_values(folder: Path) -> Callable[[CheckedStudy], None]:
    """Writes `values.csv` with a row for every architecture of a study's space."""

    def written(checked: CheckedStudy) -> None:
        seen: dict[str, tuple[float, float]] = {}
        base = checked.space.base_candidate()
        models = [base] if base else []
        for turn in checked.space.enumerate():
            try:
                models.append(checked.space.candidate(turn))
            except DocumentError:
                continue
        for model in models:
            seen.setdefault(model.plan.arch_id, values_of(len(seen)))
        rows = [f"{arch_id},{latency},{top1},1" for arch_id, (latency, top1) in seen.items()]
        text = "\n".join(["arch_id,latency,top1,seconds", *rows])
        (folder / "values.csv").write_text(text + "\n")

    return written


@pytest.fixture
def store(folder: Path) -> Iterable[Store]:
    with open_store(str(folder / "archdsl.db")) as opened:
        yield opened


Run = Callable[..., SearchResult]


@pytest.fixture
def run(store: Store) -> Run:
    """Runs a study on this machine, in the shared store unless told otherwise."""

    def ran(checked: CheckedStudy, *, store: Store = store) -> SearchResult:
        return run_search(checked, store=store, profile=read_profile("local"), observer=Quiet())

    return ran


Begin = Callable[..., JobSource]


@pytest.fixture
def begin(store: Store) -> Begin:
    """Begins a search without a runner: the test itself asks for jobs and answers them."""

    def begun(
        checked: CheckedStudy,
        *,
        store: Store = store,
        protocols: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> JobSource:
        study = checked.study
        row = store.ensure_study(
            name=study.name, document=study.identity(), objectives=dict(study.objectives)
        )
        return Search(
            checked=checked,
            row=row,
            store=store,
            owner=Owner.current(),
            budget=study.budget.trials,
            protocols=protocols or {},
            folder="files",
            observer=Quiet(),
        )

    return begun


Table = list[dict[str, Any]]


def table_of(store: Store, name: str = "small") -> Table:
    """Everything a study's trials say, but for ids and times."""
    row = store.study(name)
    return [
        {
            "number": trial.number,
            "arch_id": trial.arch_id,
            "state": trial.state,
            "params": dict(trial.params),
            "distributions": dict(trial.distributions),
            "sampler_attrs": dict(trial.sampler_attrs),
            "attempt": trial.attempt,
            "counted": trial.counted,
            "violation": trial.violation,
            "reason": trial.reason,
            "finish_order": trial.finish_order,
            "values": {name: value.value for name, value in trial.values.items()},
        }
        for trial in store.trials(row.id)
    ]


@pytest.fixture
def trials_table() -> Callable[..., Table]:
    return table_of


def ways(checked: CheckedStudy, most: int = 10_000) -> Sequence[Mapping[str, Any]]:
    """The recorded decisions of every way to decide."""
    found = []
    for turn in itertools.islice(checked.space.enumerate(), most):
        recorder = Recorder(turn)
        checked.space.tree(recorder)
        found.append(recorder.params)
    return found


@pytest.fixture
def all_ways() -> Callable[[CheckedStudy], Sequence[Mapping[str, Any]]]:
    return ways
