"""Killed at any statement of SQL, a search ends with the tables of an undisturbed one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import archdsl
from archdsl.searching.read import CheckedStudy

pytestmark = pytest.mark.process

PROGRAM = Path(__file__).with_name("crash_process.py")
PROCESSES = 2
TRIALS = 12
SPACE = """\
depth: {range: [1, 4]}
process: {dim: {choose: [32, 48, 64, 80]}}
memory: {embed: {patch_size: {choose: [1, 2, 4]}}}
exchange:
  choose:
    same: {}
    other: {read: {latent_ratio: {choose: [0.5, 1]}}, norm: {placement: pre}}
"""


@pytest.fixture
def killed_everywhere(folder: Path) -> Callable[[int], dict[str, Any]]:
    """Kills the search of `study.yaml` at every nth place; what came of it."""

    def found(every: int) -> dict[str, Any]:
        # Nothing here depends on the disk, and in memory a commit takes no time.
        shared = Path("/dev/shm")
        with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else folder) as name:
            processes = [
                _start(Path(name, str(number)), part=number * every, of=PROCESSES * every)
                for number in range(PROCESSES)
            ]
            answers = [process.communicate(timeout=500) for process in processes]
        assert [process.returncode for process in processes] == [0] * PROCESSES, answers
        results = [json.loads(out) for out, _ in answers]
        return {
            "places": results[0]["places"],
            "rows": results[0]["rows"],
            "failures": {k: v for result in results for k, v in result["failures"].items()},
        }

    return found


def _start(folder: Path, *, part: int, of: int) -> subprocess.Popen[str]:
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), "study.yaml", str(folder), str(part), str(of)],
        # Libraries that start threads of their own could not be forked.
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONPATH": str(Path(archdsl.__file__).parents[1]),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_killed_at_every_statement(
    study: Callable[..., CheckedStudy],
    write_values: Callable[[CheckedStudy], None],
    killed_everywhere: Callable[[int], dict[str, Any]],
    folder: Path,
) -> None:
    checked = study(SPACE, constraints=["params_m <= 0.15", "latency <= 10ms"], trials=TRIALS)
    write_values(checked)
    leave_out_some_rows(folder / "values.csv")
    found = killed_everywhere(1)
    assert found["failures"] == {}
    rows = found["rows"]
    assert found["places"] > 30 * TRIALS, "each trial takes many statements"
    assert rows["trials"] > TRIALS, "facts alone ruled some candidates out"
    assert rows["trial_values"] < 2 * TRIALS, "some trials failed or broke a bound"
    assert rows["measurements"] > rows["trial_values"], "the front was scored at last"
    assert rows["claims"] == 0


def leave_out_some_rows(values: Path) -> None:
    """So that some trials fail; the others are scored on test images, too."""
    header, *rows = values.read_text().splitlines()
    kept = [f"{row},{row.split(',')[2]}" for number, row in enumerate(rows) if number % 7 != 3]
    values.write_text("\n".join([f"{header},test_top1", *kept]) + "\n")
