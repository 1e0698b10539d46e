"""A training killed with SIGKILL and started again."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

pytestmark = pytest.mark.process

PROGRAM = Path(__file__).with_name("training_process.py")


DRIVERS = Path(__file__).parents[1] / "drivers"


def start(
    data: Path, folder: Path | str, *, epochs: int = 40, **environment: str
) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(DRIVERS), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(data), str(folder), str(epochs)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=data.parent,
        env={**os.environ, "PYTHONPATH": paths, **environment},
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


@pytest.mark.slow
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


def test_a_training_killed_while_it_uploads_goes_on_from_the_url(
    tmp_path: Path,
    arrays: dict[str, np.ndarray],
    npz: Callable[[dict[str, np.ndarray]], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, url, bucket = npz(arrays), "shelf://bucket/one/seed-5", tmp_path / "bucket"
    bucket.mkdir()
    # An epoch takes no time beside an upload: whenever it is killed, half a file is there.
    reported = kill_after(start(data, url, epochs=6, SHELF_SECONDS="0.6"), 3, 0.3)
    assert len(reported) == 3
    left = bucket / "one" / "seed-5"
    sizes = {path.name: path.stat().st_size for path in left.iterdir()}
    assert sorted(sizes) == ["checkpoint-even.pt", "checkpoint-odd.pt"]
    assert sizes["checkpoint-even.pt"] < 0.7 * sizes["checkpoint-odd.pt"]

    final, _ = start(data, url, epochs=6).communicate()
    threads = torch.get_num_threads()
    runpy.run_path(str(PROGRAM))["main"](str(data), str(tmp_path / "undisturbed"), "6")
    torch.set_num_threads(threads)
    assert final == capsys.readouterr().out
    assert final.startswith("".join(reported))
    assert weights(left) == weights(tmp_path / "undisturbed")


def weights(folder: Path) -> dict[tuple[str, str], bytes]:
    from safetensors.numpy import load_file

    tensors = {
        (name, file.name): tensor.tobytes()
        for file in sorted(folder.iterdir())
        for name, tensor in load_file(file).items()
    }
    assert any(name.endswith("running_mean") for name, _ in tensors)
    assert {file for _, file in tensors} == {
        "weights-without-ema.safetensors",
        "weights.safetensors",
    }
    return tensors
