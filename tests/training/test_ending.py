"""A signal that asks a training to end waits for the step, of which nothing is lost then."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import fsspec
import pytest
import torch
from torch import Tensor, nn

from archdsl.storage.folder import Folder
from archdsl.storage.remote import RemoteFolder
from archdsl.storage.storage import Storage
from archdsl.training.data.dataset import Dataset
from archdsl.training.ending import Ending
from archdsl.training.loop import FitResult, fit
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.classification import Classification
from tests.training.test_moving_average import network, same

STEPS = 4
"""Of an epoch."""
RECIPE = Recipe(
    epochs=3, batch=299, accumulate=2, mixup=0.5, cutmix=1.0, ema=0.7, drop_path=0.3, crop="pad",
    erasing=0.5, repeats=3,
)  # fmt: skip


class Ended(KeyboardInterrupt):
    """What a command raises when it is asked to end."""


@pytest.fixture(autouse=True)
def _a_command() -> Iterator[None]:
    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise Ended

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        assert signal.getsignal(number) is end, "as it was"
        signal.signal(number, handler)


class Validated(Classification):
    """Counts; a signal comes with one of the batches."""

    def __init__(self, batch: int) -> None:
        self.left = batch

    def count(self, model: nn.Module, images: Tensor, targets: Tensor) -> Mapping[str, Tensor]:
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGTERM)
        return super().count(model, images, targets)


def train(
    model: nn.Module,
    digits: Dataset,
    storage: Storage | None,
    *,
    end: tuple[int, signal.Signals] = (0, signal.SIGTERM),
    task: Classification | None = None,
) -> tuple[FitResult, int]:
    """How it ended, after how many steps."""
    steps: list[int] = []

    def on_step(loss: Tensor, images: int) -> None:
        steps.append(images)
        if len(steps) == end[0]:
            signal.raise_signal(end[1])

    result = fit(
        model,
        digits,
        task=task or Classification(),
        recipe=RECIPE,
        seed=0,
        device=torch.device("cpu"),
        storage=storage,
        report=lambda epoch, values: None,
        on_step=on_step,
    )
    return result, len(steps)


@pytest.fixture(scope="module")
def undisturbed(digits: Dataset) -> tuple[FitResult, dict[str, Tensor]]:
    """How the training ends that nobody disturbs, and with which weights."""
    model = network()
    result, steps = train(model, digits, None)
    assert steps == 3 * STEPS
    return result, dict(model.state_dict())


def untimed(result: FitResult) -> tuple[Any, ...]:
    return result.counts, result.history, result.raw_history


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "number"), [(1, signal.SIGINT), (6, signal.SIGTERM), (8, signal.SIGTERM)]
)
def test_a_training_goes_on_from_the_step_it_was_ended_at(
    *, digits: Dataset, undisturbed: Any, tmp_path: Path, step: int, number: signal.Signals
) -> None:
    resumed = network()
    with pytest.raises(Ended):
        train(network(), digits, Folder(tmp_path), end=(step, number))
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    progress = state["progress"]
    assert (len(progress["counts"]), progress["steps"]) == (
        (step - 1) // STEPS,
        (step - 1) % STEPS + 1,
    )
    assert progress["seconds"] > 0
    torch.rand(3)
    found, steps = train(resumed, digits, Folder(tmp_path))
    assert steps == 3 * STEPS - step
    assert untimed(found) == untimed(undisturbed[0])
    assert same(dict(resumed.state_dict()), undisturbed[1])


def test_what_was_trained_before_a_validation_is_not_trained_again(
    digits: Dataset, undisturbed: Any, tmp_path: Path
) -> None:
    resumed = network()
    batches = 2 * 3  # of both, the average and what it is of
    with pytest.raises(Ended):
        train(network(), digits, Folder(tmp_path), task=Validated(batches + 1))
    found, steps = train(resumed, digits, Folder(tmp_path))
    assert steps == STEPS
    assert untimed(found) == untimed(undisturbed[0])
    assert same(dict(resumed.state_dict()), undisturbed[1])


def test_at_a_url_the_last_epoch_stays_beside_a_part_of_the_next(
    digits: Dataset, undisturbed: Any
) -> None:
    memory = fsspec.filesystem("memory")
    place = RemoteFolder("memory://ended/seed-0")
    resumed = network()
    try:
        with pytest.raises(Ended):
            train(network(), digits, place, end=(6, signal.SIGTERM))
        found = sorted(Path(name).name for name in memory.ls("/ended/seed-0", detail=False))
        assert found == ["checkpoint-even.pt", "checkpoint-odd.pt"]
        _, steps = train(resumed, digits, place)
    finally:
        memory.rm("/ended", recursive=True)
    assert steps == 3 * STEPS - 6
    assert same(dict(resumed.state_dict()), undisturbed[1])


def test_without_a_place_to_keep_it_a_training_ends_all_the_same(digits: Dataset) -> None:
    with pytest.raises(Ended):
        train(network(), digits, None, end=(2, signal.SIGTERM))


def test_a_second_signal_is_not_put_off() -> None:
    ending = Ending()
    with ending.put_off():
        signal.raise_signal(signal.SIGTERM)
        assert ending.asked is signal.SIGTERM
        with pytest.raises(Ended):
            signal.raise_signal(signal.SIGTERM)


def test_a_signal_that_is_ignored_asks_for_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        ending = Ending()
        with ending.put_off():
            signal.raise_signal(signal.SIGHUP)
            assert ending.asked is None
    finally:
        signal.signal(signal.SIGHUP, before)
