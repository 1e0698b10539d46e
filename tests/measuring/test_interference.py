"""Which blocks are disturbed, and what becomes of a measurement beside them."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from statistics import median

import pytest
import torch
from torch import nn

from archdsl.device_lock import FOLDER_VARIABLE
from archdsl.measuring.compare import Verdict, compare_latency
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.interference import (
    FOREIGN_CORES,
    PROBE_TOLERANCE,
    Block,
    InterferenceMonitor,
)
from archdsl.measuring.latency import measure_latency
from archdsl.measuring.load import UNKNOWN, GpuReading, Load
from archdsl.measuring.probe import ProbeBaseline, control_probe

pytestmark = pytest.mark.process

CPU = torch.device("cpu")
SHAPE = (3, 8, 8)
CONDITIONS = Conditions(
    device="cpu", batch=2, heads="predicted", threads=1, precision=0.3, max_seconds=0.9
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "leases"))
    return tmp_path / "leases"


@pytest.fixture
def spinners() -> Iterator[None]:
    """As many busy processes as there are cores, and one more."""
    command = [sys.executable, "-c", "while True: pass"]
    started = [subprocess.Popen(command) for _ in range(3)]
    time.sleep(0.3)
    yield
    for process in started:
        process.kill()
        process.wait()


def network() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 512), nn.Linear(512, 512))


def monitor(threads: int = 1) -> InterferenceMonitor:
    protocol = {"fingerprint": {"name": "test"}, "threads": threads}
    return InterferenceMonitor(CPU, protocol=protocol, max_seconds=1.0)


def block(
    probe_ms: tuple[float, float],
    *,
    foreign: float | None = 0.0,
    own: float = 0.0,
    gpu: GpuReading = UNKNOWN,
) -> Block:
    load = Load(foreign_cores=foreign, own_cores=own)
    return Block(samples_ms=[1.0], probe_ms=probe_ms, load=load, gpu=gpu)


def test_a_probe_repeats_and_is_remembered(folder: Path) -> None:
    probe = control_probe(CPU)
    times = [probe.time_ms() for _ in range(3)]
    assert all(0 < ms < math.inf for ms in times)
    calmest = ProbeBaseline({"name": "test"})
    assert calmest.ms == math.inf
    for ms in times:
        calmest.add(ms)
    assert calmest.ms == min(times), "in the midst of a measurement"
    calmest.store()
    assert ProbeBaseline({"name": "test"}).ms == median(times)
    assert ProbeBaseline({"name": "other"}).ms == math.inf, "another device has another probe"
    [path] = folder.glob("probe-*.json")
    assert json.loads(path.read_text())["fingerprint"] == {"name": "test"}
    higher = ProbeBaseline({"name": "test"})
    higher.add(2 * max(times))
    higher.store()
    assert ProbeBaseline({"name": "test"}).ms == median(times), "only a calmer one replaces it"
    path.write_text("{")
    assert ProbeBaseline({"name": "test"}).ms == math.inf, "a damaged file is no number"


def test_what_disturbs_a_block() -> None:
    seen = monitor()
    calmest = seen.telemetry([])["calmest_probe_ms"]
    calm, slow = calmest * 1.01, calmest * PROBE_TOLERANCE * 1.01
    assert seen.disturbances(block((calm, calm))) == {}
    assert seen.disturbances(block((calm, calm), foreign=None)) == {}, "unknown is not guessed at"
    assert set(seen.disturbances(block((calm, slow)))) == {"probe"}
    assert set(seen.disturbances(block((slow, calm), own=1.0))) == {"probe", "own"}
    loaded = seen.disturbances(block((calm, calm), foreign=max(FOREIGN_CORES, 0.06 * 1024)))
    assert "other processes took" in loaded["foreign"]
    hot = seen.disturbances(block((calm, calm), gpu=GpuReading(40.0, True, 900)))
    assert set(hot) == {"gpu", "throttled"}
    described = seen.describe([block((calm, calm)), block((calm, slow))])
    assert len(described) == 1 and described[0].endswith("(1 of 2 blocks)")


def test_several_threads_beside_a_load_are_told_of_one() -> None:
    many = monitor(threads=4)
    calmest = many.telemetry([])["calmest_probe_ms"]
    calm, slow = block((calmest, calmest)), block((calmest, 2 * calmest))
    said = many.describe([calm, slow])
    assert "waits for the slowest of its 4 threads: `threads: 1` (--threads 1)" in said[-1]
    assert many.describe([calm]) == []


def test_what_the_platform_does_not_tell_is_unknown() -> None:
    seen = monitor().telemetry([block((1.0, 1.0), foreign=None)])
    assert seen["foreign_cores"] == "unknown"


@pytest.mark.usefixtures("spinners")
def test_a_latency_beside_foreign_processes_is_not_steady() -> None:
    result = measure_latency(network(), image_shape=SHAPE, conditions=CONDITIONS)
    assert not result.detail["steady"]
    assert any("other processes took" in line for line in result.detail["unsteady"])
    samples = list(chain.from_iterable(result.detail["blocks_ms"]))
    assert result.detail["count"] == len(samples), "a value is given all the same"


@pytest.mark.usefixtures("spinners")
def test_a_comparison_beside_foreign_processes_is_said_to_be_one() -> None:
    slow = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 4096), nn.Linear(4096, 4096))
    result = compare_latency(network(), slow, image_shape=SHAPE, conditions=CONDITIONS)
    assert result.verdict in (Verdict.UNCLEAR, Verdict.FASTER_THOUGH_BUSY)
    assert result.disturbances
    assert result.ratio < 1, "the ratio is given all the same"
