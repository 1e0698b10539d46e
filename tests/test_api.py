"""What notebooks call, through the package's root: real small searches, in processes of their own
where it is about what importing and running leave behind."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import archdsl
from archdsl.errors import (
    ArchdslError,
    DocumentError,
    NameNotFoundError,
    StoreError,
    StudyError,
    WeightsError,
)
from archdsl.records import Job, Outcome

BASE = """\
archdsl: 1
name: tiny
image: {size: 8, channels: 1}
depth: 1
process:
  embed: {type: patch, patch_size: 4}
  dim: 32
  block: {type: transformer, head_dim: 16, mlp_ratio: 1}
output: {task: classify, num_classes: 10, pool: mean, streams: [process], predict: process}
"""
STUDY = """\
archdsl: 1
kind: study
name: small
base: tiny
space: {depth: {choose: [1, 2]}, process: {dim: {choose: [16, 32]}}}
objectives: {params: minimize, top1: maximize}
evaluate: {top1: {data: digits, recipe: small-images, epochs: 1, seeds: [3, 4]}}
budget: {trials: 2}
"""

# As a user's script is run: nothing in it is guarded, though candidates run in other processes.
SCRIPT = """
import sys
import archdsl
assert "torch" not in sys.modules and "optuna" not in sys.modules
study = archdsl.load_study("study.yaml")
done = archdsl.search(study, db="archdsl.db")
assert done.ran == 2, done
print(archdsl.front("archdsl.db"))
"""


@pytest.fixture(scope="module")
def searched_by_script(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A folder with a study that a script has searched, and what the script said."""
    folder = tmp_path_factory.mktemp("searched")
    for name, text in (("tiny.yaml", BASE), ("study.yaml", STUDY), ("script.py", SCRIPT)):
        (folder / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return folder, done


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(archdsl.__file__).parents[1])}


@pytest.fixture
def folder(
    searched_by_script: tuple[Path, subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Path]:
    """The folder of a finished search, as the current one."""
    folder, done = searched_by_script
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(folder)
    yield folder


@pytest.mark.slow
def test_a_script_prints_what_it_prints_itself(
    searched_by_script: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    _, done = searched_by_script
    assert done.stderr == ""
    assert done.stdout.startswith("<Front of 'small': ")
    assert done.stdout.count("\n") == 1


@pytest.mark.slow
def test_a_front_is_a_snapshot_of_rows(folder: Path) -> None:
    front = archdsl.front("archdsl.db")
    assert front.study == "small"
    assert dict(front.objectives) == {"params": "minimize", "top1": "maximize"}
    assert 1 <= len(front) <= 2
    row = front[0]
    assert row is next(iter(front))
    assert set(row.values) == {"params", "top1"}
    assert row.values["top1"].low <= row.values["top1"].value <= row.values["top1"].high
    assert set(row.test) == {"top1"}
    assert row.facts["params"] == row.values["params"].value
    assert archdsl.count(row.spec).params == row.facts["params"]
    assert list(front[:1]) == [row]
    assert {each.trial for each in front} <= {
        each.trial for each in archdsl.front("archdsl.db", study="small", robust=True)
    }


def test_a_row_gives_the_network_as_it_was_trained(folder: Path) -> None:
    row = archdsl.front("archdsl.db")[0]
    network = row.model()
    assert not network.training
    first, same, other = (
        each.state_dict() for each in (network, row.model(seed=3), row.model(seed=4))
    )
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    with pytest.raises(WeightsError, match="seed 5 is none of those behind this top1: 3, 4"):
        row.model(seed=5)


def test_a_front_as_a_data_frame(folder: Path) -> None:
    pytest.importorskip("pandas")
    front = archdsl.front("archdsl.db")
    frame = front.to_frame()
    assert list(frame.index) == [row.trial for row in front]
    assert list(frame["top1"]) == [row.values["top1"].value for row in front]
    assert {"arch_id", "difference", "params_low", "test_top1", "facts.depth"} <= set(frame)


def test_without_pandas_it_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ArchdslError, match="pip install pandas"):
        archdsl.front("archdsl.db").to_frame()


def test_a_front_as_a_plot(folder: Path) -> None:
    figure = archdsl.front("archdsl.db").plot()
    figure.savefig(folder / "front.png")
    assert (folder / "front.png").stat().st_size > 10_000


class Counting:
    def __init__(self) -> None:
        self.ended: list[int] = []

    def on_start(self, job: Job) -> None: ...

    def on_epoch(self, job: Job, epoch: int, name: str, value: float) -> None: ...

    def on_end(self, job: Job, outcome: Outcome) -> None:
        self.ended.append(job.number)


@pytest.mark.slow
def test_trials_are_the_total_as_for_the_command(
    folder: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study, counting = archdsl.load_study("study.yaml"), Counting()
    with caplog.at_level(logging.INFO):
        with monkeypatch.context() as without:
            without.setattr(subprocess, "Popen", None)  # nothing is left that takes a process
            assert archdsl.search(study, observer=counting).ran == 0, "the budget is spent"
        done = archdsl.search(study, trials=3, observer=counting)
    assert (done.ran, done.row.name, done.note) == (1, "small", None)
    assert counting.ended == [2]
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    with pytest.raises(StudyError, match="trials is 0; a budget is 1 to"):
        archdsl.search(study, trials=0)


def test_documents(folder: Path) -> None:
    assert archdsl.load("tiny") == archdsl.load(Path("tiny.yaml"))
    document = archdsl.load("tiny").document()
    assert archdsl.load(document) == archdsl.load("tiny")
    with pytest.raises(DocumentError, match="depth"):
        archdsl.load({**document, "depth": 0})
    with pytest.raises(NameNotFoundError):
        archdsl.compile("no-such-model")
    assert archdsl.count("tiny") == archdsl.count(archdsl.load("tiny"))


def test_a_seed_leaves_torchs_own_as_it_is(folder: Path) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    first, second = (archdsl.compile("tiny", seed=7).state_dict() for _ in range(2))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(first[name], second[name]) for name in first)
    torch.manual_seed(7)
    plain = archdsl.compile(archdsl.load("tiny")).state_dict()
    assert all(torch.equal(first[name], plain[name]) for name in first)


def test_a_study_around_a_model(folder: Path) -> None:
    study = archdsl.study_around("tiny", objectives=("params", "top1"), data="digits").study
    assert (study.name, study.base) == ("tiny-neighbourhood", "tiny.yaml")
    assert dict(study.objectives) == {"params": "minimize", "top1": "maximize"}
    assert study.evaluate.latency is None
    spec = archdsl.load("tiny")
    around = archdsl.study_around(spec, objectives=("latency",)).study
    assert around.base == spec.document()
    assert around.evaluate.top1 is None
    with pytest.raises(StudyError, match="data='folder:DIR'"):
        archdsl.study_around("tiny")
    with pytest.raises(StudyError, match=r"objectives top2: .*top1"):
        archdsl.study_around("tiny", objectives=("top2",))


@pytest.mark.slow
def test_what_is_not_there(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no database"):
        archdsl.front(str(tmp_path / "none.db"))
    with pytest.raises(StudyError, match="no study 'smal'; did you mean 'small'"):
        archdsl.front("archdsl.db", study="smal")
    study = archdsl.load_study("study.yaml", sets=["evaluate.top1.data=folder:nowhere"])
    with pytest.raises(ArchdslError, match="nowhere"):
        archdsl.search(study, db=str(tmp_path / "new.db"))
    assert not (tmp_path / "new.db").exists(), "a study that cannot run leaves nothing behind"


def test_of_a_front_without_a_training_there_are_no_weights(folder: Path) -> None:
    study = archdsl.study_around("tiny", objectives=("params", "macs"))
    archdsl.search(study, db="facts.db", trials=2)
    front = archdsl.front("facts.db")
    with pytest.raises(WeightsError, match="no value of it comes from a training"):
        front[0].model()
    with pytest.raises(AttributeError, match="no attribute 'fronts'"):
        archdsl.fronts  # noqa: B018


EVERYTHING = """
import importlib, inspect, pkgutil, sys
import archdsl
listed = set(dir(archdsl))
for found in pkgutil.walk_packages(archdsl.__path__, "archdsl."):
    # What runs when it is imported, and what needs an extra.
    if not found.name.startswith(("archdsl.__main__", "archdsl.store.migrations.",
                                  "archdsl.runners.ray")):
        importlib.import_module(found.name)
for name in archdsl.__all__:
    assert name in listed, name
    value = getattr(archdsl, name)
    assert name == "__version__" or inspect.isfunction(value), (name, value)
"""


@pytest.mark.slow
def test_no_module_takes_the_place_of_a_public_name() -> None:
    """Importing `archdsl.x` binds `x` in the root: no room may be called as a function is."""
    subprocess.run([sys.executable, "-c", EVERYTHING], env=_environment(), check=True, timeout=300)
