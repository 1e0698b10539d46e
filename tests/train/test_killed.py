"""A training killed with SIGKILL and started again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

PROGRAM = Path(__file__).with_name("training_process.py")


def start(data: Path, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(data), str(folder)], stdout=subprocess.PIPE, text=True
    )


def kill_after(process: subprocess.Popen[str], epochs: int, seconds: float) -> list[str]:
    """Kill a training some time after it reported an epoch; return what it had reported."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(epochs)]
    time.sleep(seconds)
    process.kill()
    lines += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    return [line for line in lines if line.endswith("\n")]


def test_a_killed_training_ends_with_the_weights_of_an_undisturbed_one(
    tmp_path: Path,
    arrays: dict[str, np.ndarray],
    npz: Callable[[dict[str, np.ndarray]], Path],
) -> None:
    data, killed, undisturbed = npz(arrays), tmp_path / "killed", tmp_path / "undisturbed"
    whole = start(data, undisturbed)
    reported = kill_after(start(data, killed), 1, 0.0)
    assert (killed / "checkpoint.pt").exists()
    assert not (killed / "weights.safetensors").exists()
    before = reported
    reported = kill_after(start(data, killed), len(before) + 4, 0.013)
    assert reported[: len(before)] == before

    final, _ = start(data, killed).communicate()
    expected, _ = whole.communicate()
    assert final == expected
    assert final.startswith("".join(reported))
    assert (killed / "weights.safetensors").exists()
    assert not (killed / "checkpoint.pt").exists()
    assert weights(killed) == weights(undisturbed)


def weights(folder: Path) -> dict[str, bytes]:
    from safetensors.numpy import load_file

    tensors = load_file(folder / "weights.safetensors")
    assert len(tensors) == 9
    return {name: tensor.tobytes() for name, tensor in tensors.items()}
