"""What separate processes differ by is learnt from a reference, and widens every interval."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from archdsl.analysis.statistics import Interval
from archdsl.device_lock import FOLDER_VARIABLE
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.latency import measure_latency
from archdsl.measuring.repeatability import (
    MOST_KEPT,
    NORMAL_95,
    SUPPOSED,
    Repeatability,
    Spread,
    reference_work,
)

pytestmark = pytest.mark.process

NAME = {"name": "test"}
IN_TWO_PROCESSES = """
import os
import archdsl.measuring.fixed_work

for ms in (2.04, 1.96):
    if not os.fork():
        from archdsl.measuring.repeatability import Repeatability
        Repeatability({"name": "test"}).add([ms] * 6)
        os._exit(0)
    assert os.wait()[1] == 0
"""
"""What takes seconds to import is there before them. The other import names a process."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "leases"))
    return tmp_path / "leases"


def kept(folder: Path) -> Path:
    [path] = folder.glob("reference-*.json")
    return path


def written(folder: Path, times: list[float]) -> Repeatability:
    """The repeatability after processes that took these times."""
    Repeatability(NAME).add([1.0])
    path = kept(folder)
    found = json.loads(path.read_text())
    found["processes_ms"] = {f"process {number}": ms for number, ms in enumerate(times)}
    path.write_text(json.dumps(found))
    return Repeatability(NAME)


def test_before_anything_is_known_a_spread_is_supposed() -> None:
    assert Repeatability(NAME).spread == (pytest.approx(SUPPOSED), 0)


def test_each_process_counts_once(folder: Path) -> None:
    first = Repeatability(NAME)
    first.add([2.0, 1.0, 3.0])
    first.add([9.0])
    subprocess.run([sys.executable, "-c", IN_TWO_PROCESSES], check=True)
    Repeatability(NAME).add([9.0])
    assert list(json.loads(kept(folder).read_text())["processes_ms"].values()) == [2.0, 2.04, 1.96]
    assert Repeatability(NAME).spread.processes == 3
    assert Repeatability({"name": "other"}).spread.processes == 0


def test_the_spread_becomes_that_of_the_processes(folder: Path) -> None:
    close = written(folder, [1.0, 1.002] * 20).spread
    apart = written(folder, [1.0, 1.06] * 20).spread
    assert 0.002 / 2**0.5 < close.share < 0.5 * SUPPOSED
    assert apart.share == pytest.approx(0.06 / 2**0.5, rel=0.15)


def test_a_machine_that_became_another_counts_once(folder: Path) -> None:
    steps = written(folder, [1.0] * 20 + [1.15] * 20).spread
    assert steps.share < 0.02


def test_so_many_processes_are_kept(folder: Path) -> None:
    written(folder, [1.0] * MOST_KEPT).add([1.0])
    assert len(json.loads(kept(folder).read_text())["processes_ms"]) == MOST_KEPT


@pytest.mark.parametrize("text", ["", "{", '{"processes_ms": 3}', '{"processes_ms": {"a": -1}}'])
def test_a_damaged_file_is_no_knowledge(folder: Path, text: str) -> None:
    written(folder, [1.0] * 5)
    kept(folder).write_text(text)
    assert Repeatability(NAME).spread.processes == 0


def test_an_interval_is_widened_about_its_middle() -> None:
    inside = Interval(9.9, 10.2, 0.95)
    low, high, coverage = Spread(0.01, 9).widened(inside, middle=10.0)
    half = NORMAL_95 * 0.01 * 10.0
    assert low == pytest.approx(10.0 - (0.1**2 + half**2) ** 0.5)
    assert high == pytest.approx(10.0 + (0.2**2 + half**2) ** 0.5)
    assert coverage == 0.95


def test_the_reference_is_always_the_same_work() -> None:
    device = torch.device("cpu")
    with torch.inference_mode():
        assert torch.equal(reference_work(device).call(), reference_work(device).call())
    assert reference_work(device).time_ms() > 0


def test_a_latency_says_what_it_was_widened_by(folder: Path) -> None:
    conditions = Conditions(
        device="cpu", batch=2, heads="predicted", threads=1, precision=0.3, max_seconds=0.3
    )
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 512))
    result = measure_latency(network, image_shape=(3, 8, 8), conditions=conditions)
    half = NORMAL_95 * result.detail["between_processes_percent"] / 100 * result.value
    here = result.detail["high_here_ms"] - result.value
    assert result.high - result.value == pytest.approx((here**2 + half**2) ** 0.5, rel=1e-3)
    assert len(result.detail["reference_ms"]) == 6
    disturbed = [line for line in result.detail["unsteady"] if "interval" not in line]
    assert result.detail["processes_compared"] == (0 if disturbed else 1)
    assert bool(list(folder.glob("reference-*.json"))) is not bool(disturbed)
