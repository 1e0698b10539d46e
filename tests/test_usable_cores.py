"""How many cores a process may use: what affinity, control groups and SLURM leave of the host's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from archdsl import usable_cores as module
from archdsl.usable_cores import affinity, usable_cores

ALL = len(affinity())
HOST = 64


@pytest.fixture
def large_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A host of many cores without any limit; the folder that its control groups lie in."""
    for name in ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "affinity", lambda: frozenset(range(HOST)))
    monkeypatch.setattr(module, "_OWN_CGROUPS", tmp_path / "own")
    monkeypatch.setattr(module, "_CGROUPS", tmp_path / "fs")
    return tmp_path


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_an_affinity_counts() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "from archdsl.usable_cores import usable_cores; print(usable_cores())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"]
    assert 1 <= usable_cores() <= ALL


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "max 100000"}, HOST),
        ("0::/\n", {"cpu.max": "800000 100000"}, 8),
        ("0::/\n", {"cpu.max": "150000 100000"}, 1),
        ("0::/\n", {"cpu.max": "50000 100000"}, 1),
        ("0::/user/job\n", {"user/job/cpu.max": "max 100000", "user/cpu.max": "400000 100000"}, 4),
        ("0::/user/job\n", {"user/job/cpu.max": "200000 100000"}, 2),
        (
            "4:memory:/x\n3:cpu,cpuacct:/job\n0::/\n",
            {"cpu/job/cpu.cfs_quota_us": "300000", "cpu/job/cpu.cfs_period_us": "100000"},
            3,
        ),
        (
            "3:cpu:/job\n",
            {"cpu/job/cpu.cfs_quota_us": "-1", "cpu/job/cpu.cfs_period_us": "100000"},
            HOST,
        ),
        ("3:cpu:/gone\n", {}, HOST),
    ],
)
def test_time_granted_by_control_groups_counts(
    large_host: Path, own: str, files: Mapping[str, str], expected: int
) -> None:
    (large_host / "own").write_text(own)
    for name, text in files.items():
        path = large_host / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert usable_cores() == expected


@pytest.mark.usefixtures("large_host")
@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"SLURM_CPUS_PER_TASK": "4", "SLURM_CPUS_ON_NODE": "16"}, 4),
        ({"SLURM_CPUS_ON_NODE": "16"}, 16),
        ({"SLURM_CPUS_PER_TASK": "128"}, HOST),
        ({"SLURM_CPUS_PER_TASK": ""}, HOST),
        ({}, HOST),
    ],
)
def test_what_slurm_allots_counts(
    monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str], expected: int
) -> None:
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    assert usable_cores() == expected
