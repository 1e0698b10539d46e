"""`archdsl train --processes`: one network trained by several processes of a Ray cluster."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from archdsl.training.bundle import load_bundle
from tests.cli.conftest import ARGUMENTS, Command

PROFILE = """\
archdsl: 1
kind: runner
name: pair
executor: ray
training: {device: cpu, cpus: 0.5}
data: {known: digits}
"""


@pytest.fixture(autouse=True)
def profile(folder: Path) -> None:
    (folder / "pair.yaml").write_text(PROFILE)


def words(output: str, *, processes: int, runner: str = "pair.yaml") -> tuple[str, ...]:
    how = ("--epochs", "1", "--runner", runner, "--processes", str(processes))
    return (*ARGUMENTS[:2], *how, "-o", output)


def epoch_of(folder: str) -> dict[str, float]:
    [row] = csv.DictReader((Path(folder) / "epochs.csv").read_text().splitlines())
    return {name: float(row[name]) for name in ("loss", "top1")}


@pytest.mark.slow
def test_they_train_as_one_does(run: Command) -> None:
    pytest.importorskip("ray.train", reason="an extra")
    known = ("--data", "known", "--db")
    done = run(*words("pair", processes=2), *known, "kept.db", "--json", fresh=True)
    assert done.json()["found"] is False
    assert done.err.count("training vittm-digits") == 1, "one of them speaks"
    assert load_bundle("pair").training["recipe"]["epochs"] == 1
    assert not list(Path().glob(".ray-*"))
    run(*words("alone", processes=1), *known, "new.db")
    assert epoch_of("pair") == pytest.approx(epoch_of("alone"), rel=0.02)
    again = run(*words("again", processes=1), *known, "kept.db")
    assert "the same training lies finished in" in again.err


@pytest.mark.slow
def test_what_they_refuse_is_told(run: Command) -> None:
    pytest.importorskip("ray.train", reason="an extra")
    wrong = run(*words("pair", processes=2), "--data", "folder:nowhere", code=2, fresh=True)
    assert "nowhere" in wrong.err
    assert wrong.err.count("\n") <= 2
    many = run(*words("pair", processes=100), "--data", "known", code=2, fresh=True)
    assert "there is room for" in many.err


def test_a_profile_without_a_cluster_is_refused(run: Command) -> None:
    refused = run(*words("pair", processes=2, runner="local"), "--data", "digits", code=2)
    assert "executor: local" in refused.err
    assert "torchrun" in refused.err
