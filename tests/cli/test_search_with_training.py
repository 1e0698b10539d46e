"""Searches that measure and train: real digits, real interruptions, real kills."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from archdsl.records import State
from archdsl.store.rows import Trial
from archdsl.store.store import open_store

Run = Callable[..., Any]
Start = Callable[..., subprocess.Popen[str]]

EPOCHS = 10
SMALL = [
    "digits",
    "--set", f"evaluate.top1.epochs={EPOCHS}",
    "--set", "evaluate.latency.max_seconds=0.2",
    "--set", "evaluate.latency.batch=8",
]  # fmt: skip


def table() -> list[Trial]:
    with open_store("archdsl.db", read_only=True) as store:
        studies = store.studies.all()
        return store.trials.all(studies[0].id) if studies else []


def under_way() -> int:
    """Epochs that the running trial has told of, once another is complete."""
    query = (
        "SELECT COUNT(*) FROM epoch_values JOIN trials ON trials.id = trial_id "
        "WHERE state = 'running' AND EXISTS (SELECT 1 FROM trials WHERE state = 'complete')"
    )
    try:
        with closing(sqlite3.connect("file:archdsl.db?mode=ro", uri=True)) as connection:
            return int(connection.execute(query).fetchone()[0])
    except sqlite3.OperationalError:  # not there yet
        return 0


def wait_until(true: Callable[[], bool], command: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        if command.poll() is not None or time.monotonic() > deadline:
            command.kill()
            pytest.fail(f"it did not come to that: {command.communicate()}")
        time.sleep(0.1)


def interrupted(command: subprocess.Popen[str], *, whom: str, epochs: int) -> str:
    """Ctrl-C after more than so many epochs; returns what was said. Leaves no process behind."""
    with command:
        wait_until(lambda: under_way() > epochs, command)
        family = psutil.Process(command.pid).children(recursive=True)
        assert family, "candidates are trained in a child"
        if whom == "group":
            os.killpg(command.pid, signal.SIGINT)
        else:
            command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=120)
        _, alive = psutil.wait_procs(family, timeout=60)
        assert not alive
    assert command.returncode == 130
    assert out == ""
    return err


@pytest.mark.slow
def test_a_search_of_digits(run: Run, start: Start, folder: Path) -> None:
    """Interrupted, killed, resumed: in the end it is as if nothing had happened."""
    words = ["search", *SMALL, "--trials", "3"]
    for whom in ("group", "parent alone"):
        before = under_way()
        said = interrupted(start(*words), whom=whom, epochs=before)
        assert "of 3 trials of 'digits' are finished and stored in archdsl.db" in said
        assert "the same command goes on from there" in said
        with open_store("archdsl.db") as store:
            [study] = store.studies.all()
            blamed = [claim.fruitless for claim in store.claims.of_study(study.id)]
        assert blamed == [0], "an interruption is not the trial's fault"
        progress = [line for line in said.splitlines() if line.startswith(("digits: ", "trial "))]
        assert len(said.splitlines()) == len(progress) + 3, "and nothing of where it was"
    finished = {trial.number: trial for trial in table() if trial.state is State.COMPLETE}
    before = under_way()
    with start(*words) as command:
        wait_until(lambda: under_way() > before, command)
        command.kill()
    found = run(*words, "--json").json()
    trials = table()
    assert [trial.number for trial in trials] == [0, 1, 2]
    assert all(trial.state is State.COMPLETE for trial in trials)
    for number, trial in finished.items():
        assert trials[number] == trial, "what was complete is not touched"
    with open_store("archdsl.db") as store:
        reported = [len(store.epochs.of_trial(trial.id)) for trial in trials]
        members = {member["arch_id"] for member in found["members"]}
        scored = {
            trial.arch_id
            for trial in trials
            if any(m.quantity == "test_top1" for m in store.measurements.of_arch(trial.arch_id))
        }
        counts = [
            [m.quantity for m in store.measurements.of_arch(trial.arch_id)].count("top1")
            for trial in trials
        ]
    assert reported == [EPOCHS] * 3, "every epoch once"
    assert counts == [1] * 3
    assert scored == members, "test images are for members alone"
    assert all(50 < member["test_top1"] <= 100 for member in found["members"])
    assert "latency on" in found["conditions"]
    assert "validation accuracy on digits" in found["conditions"]
    again = run(*words, "--json")
    assert again.json()["members"] == found["members"]
    assert again.json()["ran"] == 0
    assert "is spent" in again.err


@pytest.fixture
def colours(folder: Path) -> Path:
    """Three classes of 8x8 colour pictures, as an npz file."""
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    images = rng.integers(0, 255, (90, 8, 8, 3), dtype=np.uint8)
    np.savez(
        folder / "colours.npz",
        x_train=images[:60], y_train=labels[:60], x_test=images[60:], y_test=labels[60:],
    )  # fmt: skip
    return folder / "colours.npz"


@pytest.mark.slow
def test_data_that_do_not_fit_are_refused_before_anything(
    run: Run, folder: Path, colours: Path
) -> None:
    done = run("search", "digits", "--data", "npz:colours.npz", code=2)
    assert "image.channels: the data has 3, the document expects 1" in done.err
    assert "output.num_classes: the data has 3, the document expects 10" in done.err
    words = [word for word in done.err.split("add: ")[1].split() if word != "--set"]
    assert words == ["space.image.channels=3", "space.output.num_classes=3"]
    assert "vittm-digits.yaml" in done.err, "the base that says otherwise"
    assert not (folder / "archdsl.db").exists(), "the right data may follow under the same name"
    sets = [each for word in words for each in ("--set", word)]
    found = run(
        "search", *SMALL, "--data", "npz:colours.npz", *sets, "--set", "evaluate.top1.epochs=1",
        "--trials", "2", "--json",
    ).json()  # fmt: skip
    assert found["complete"] == 2, "the base among them"


@pytest.mark.slow
def test_a_plain_model_on_own_data(run: Run, folder: Path, colours: Path) -> None:
    few = ["--set", "evaluate.top1.epochs=1", "--set", "evaluate.latency.max_seconds=0.2"]
    words = [
        "search", "vittm-digits", "--objective", "latency,top1", "--data", "npz:colours.npz",
        "--trials", "2", *few,
    ]  # fmt: skip
    for more in ([], ["--dry-run"]):
        told = run(*words, *more, code=2).err
        sets = told.rpartition("add: ")[2].split()
        assert sets == ["--set", "image.channels=3", "--set", "output.num_classes=3"]
    found = run(*words, *sets, "--json").json()
    assert found["complete"] == 2
    assert found["members"]


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_device_to_train_on_that_is_not_here(run: Run, folder: Path, more: list[str]) -> None:
    (folder / "gpu.yaml").write_text(
        "archdsl: 1\nkind: runner\nname: gpu\nexecutor: local\ntraining: {device: cuda}\n"
    )
    done = run("search", *SMALL, "--runner", "gpu", "--trials", "1", *more, code=2)
    said = done.err.splitlines()[-1]
    assert said.startswith("archdsl: the run profile 'gpu' asks for training on cuda, but ")
    assert said.endswith("; write training: {device: cpu} or {device: auto} in it")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "vittm-b-a100"])
def test_a_device_that_is_not_here(run: Run, folder: Path, name: str) -> None:
    done = run("search", name, "--set", "evaluate.latency.device=H999", "--trials", "1", code=2)
    assert "no device 'H999' here" in done.err
    assert "--any-device" in done.err
    assert list(folder.iterdir()) == [], "no database, no storage"


@pytest.mark.slow
def test_a_search_by_other_metrics_of_one_training(run: Run, folder: Path) -> None:
    words = ["search", *SMALL, "--set", "evaluate.top1.epochs=2", "--trials", "2"]
    found = run(*words, "--objective", "latency,f1,top5", "--json").json()
    assert {file.parent.name for file in folder.glob("archdsl-files/*/*/*.safetensors")} == {
        "seed-0"
    }
    assert len(list(folder.glob("archdsl-files/*"))) == 2, "one training each"
    for member in found["members"]:
        assert set(member["values"]) == {"latency", "f1", "top5"}
        assert 0 < member["test_f1"] <= member["test_top5"] <= 100
        assert "test_top1" not in member
    assert "f1 is validation F1, the mean over the classes on digits" in found["conditions"]
    run("export", "--csv", "trials.csv")
    heading = (folder / "trials.csv").read_text().partition("\n")[0].split(",")
    assert {"f1", "f1_low", "f1_over", "top5", "test_f1", "test_top5"} <= set(heading)
    run("report", "-o", "report.html")
    page = (folder / "report.html").read_text()
    assert "validation f1" in page and "test top5" in page
    told = run("front").out
    assert "validation f1" in told and "test f1" in told


@pytest.mark.slow
def test_candidates_begin_with_trained_weights(run: Run, folder: Path) -> None:
    """As one of them does that is trained alone."""
    one = ["--data", "digits", "--recipe", "small-images", "--epochs", "1", "--threads", "1"]
    run("train", "vittm-digits", "--set", "depth=2", *one, "-o", "large")
    once = (
        "evaluate.top1.epochs=1",
        "evaluate.top1.init=large",
        "evaluate.latency.max_seconds=0.1",
    )
    sets = [word for each in once for word in ("--set", each)]
    run("search", "digits", *sets, "--trials", "2", "--json")
    for trial in table():
        with open_store("archdsl.db", read_only=True) as store:
            [found] = [
                each
                for each in store.measurements.of_arch(trial.arch_id)
                if each.quantity == "top1"
            ]
        [began] = [
            each for each in found.detail["remarks"] if each.startswith("begins with large:")
        ]
        assert "layers begin as layers" in began
        run("export", str(trial.number), "-o", f"{trial.number}.yaml")
        words = [f"{trial.number}.yaml", *one, "--init", "large", "-o", f"alone-{trial.number}"]
        alone = run("train", *words, "--json").json()
        assert {each["quantity"]: each["value"] for each in alone["scores"]}["top1"] == found.value
    done = run("search", "digits", *sets, "--set", "evaluate.top1.init=none", code=2)
    assert "none" in done.err
