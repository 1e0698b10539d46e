"""A training gives way to a measurement between its steps, and goes on as if nothing had been."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from archdsl.device_lock import FOLDER_VARIABLE, exclusive
from archdsl.training.data.dataset import Dataset
from archdsl.training.loop import FitResult, fit
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.classification import Classification

CPU = torch.device("cpu")
HELD_SECONDS = 1.0


@pytest.mark.slow
def test_a_training_goes_on_after_a_measurement(
    make_model: Callable[..., torch.nn.Module],
    digits: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "leases"))
    spans: list[float] = []
    began, asked, ended = threading.Event(), threading.Event(), threading.Event()

    def measure() -> None:
        """Ask once the training runs, hold the device, and note whether anything was trained."""
        began.wait()
        asked.set()
        with exclusive("cpu", wait_s=60):
            steps = counter["steps"]
            time.sleep(HELD_SECONDS)
            spans.append(counter["steps"] - steps)
        ended.set()

    counter = {"steps": 0}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def train(disturbed: bool) -> tuple[FitResult, torch.nn.Module, float]:
        model = make_model()

        def count(*_: object) -> None:
            counter["steps"] += 1
            if disturbed:
                began.set()
                asked.wait()
                time.sleep(0.01)  # else a training so short may be over before it is held up

        model.register_forward_hook(count)
        started = time.perf_counter()
        result = fit(
            model,
            digits,
            task=Classification(),
            recipe=Recipe(epochs=2, batch=64, warmup_epochs=0),
            seed=0,
            device=CPU,
            storage=None,
            report=lambda epoch, values: None,
        )
        return result, model, time.perf_counter() - started

    quiet, expected, _ = train(disturbed=False)
    thread = threading.Thread(target=measure)
    thread.start()
    result, model, wall = train(disturbed=True)
    thread.join()
    torch.set_num_threads(threads)
    assert ended.is_set() and spans == [0], "no step was taken beside the measurement"
    assert result.history == quiet.history
    for name, weights in model.state_dict().items():
        assert torch.equal(weights, expected.state_dict()[name])
    assert result.seconds <= wall - 0.9 * HELD_SECONDS, "the wait is not the training's time"
