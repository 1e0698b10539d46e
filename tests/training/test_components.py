"""The parts of the loop: augmentation, learning rate, weight decay, loss, accuracy, devices."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from archdsl.errors import DeviceError
from archdsl.training.augment import augment
from archdsl.training.data.dataset import Dataset
from archdsl.training.device import choose_device
from archdsl.training.evaluate import evaluate
from archdsl.training.losses import ClassifierLoss
from archdsl.training.optimizer import build_optimizer, build_schedule
from archdsl.training.recipe import Augmentation, Recipe

MakeModel = Callable[..., nn.Module]


def draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grid(batch: int, side: int) -> Tensor:
    """Images whose values say where each pixel came from."""
    return torch.arange(float(side * side)).view(1, 1, side, side).repeat(batch, 2, 1, 1)


@pytest.mark.parametrize(("side", "reach"), [(6, 1), (8, 1), (16, 2)])
def test_shifts_reach_every_offset_and_repeat_the_border(side: int, reach: int) -> None:
    moved = augment(grid(400, side), how="shift", generator=draws(0))
    found = set()
    for image in moved[:, 0]:
        source = image.long()
        down, right = divmod(int(source[side // 2, side // 2]), side)
        down, right = down - side // 2, right - side // 2
        found.add((down, right))
        rows = (torch.arange(side) + down).clamp(0, side - 1)
        columns = (torch.arange(side) + right).clamp(0, side - 1)
        assert torch.equal(source, rows[:, None] * side + columns)
    assert len(found) == (2 * reach + 1) ** 2
    assert torch.equal(moved[:, 0], moved[:, 1])


def test_about_half_of_the_images_are_flipped() -> None:
    moved = augment(grid(400, 8), how="flip_shift", generator=draws(0))
    flipped = (moved[:, 0, 4, 5] < moved[:, 0, 4, 3]).sum()
    assert 160 < flipped < 240


def test_augmentation_follows_its_generator() -> None:
    images = grid(50, 8)
    first, again, other = (
        augment(images, how="flip_shift", generator=draws(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    unchanged: Augmentation = "none"
    assert torch.equal(augment(images, how=unchanged, generator=draws(1)), images)


def test_the_learning_rate_rises_linearly_and_falls_to_its_minimum(make_model: MakeModel) -> None:
    recipe = Recipe(epochs=10, lr=1e-2, min_lr=1e-4, warmup_epochs=2)
    optimizer = build_optimizer(make_model(), recipe)
    schedule = build_schedule(optimizer, recipe=recipe, steps_per_epoch=5)
    rates = []
    for step in range(50):
        schedule.step_update(step)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates[:11] == pytest.approx([1e-2 * (step + 1) / 11 for step in range(11)])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[30] == pytest.approx((1e-2 + 1e-4) / 2)
    assert 1e-4 < rates[-1] < 2e-4


def test_exempt_parameters_do_not_decay(make_model: MakeModel) -> None:
    model = make_model()
    groups = build_optimizer(model, Recipe(weight_decay=0.3)).param_groups
    decays = {
        id(parameter): group["weight_decay"] for group in groups for parameter in group["params"]
    }
    for name, parameter in model.named_parameters():
        exempt = parameter.ndim == 1 or name == "table"
        assert decays[id(parameter)] == (0 if exempt else 0.3), name


def test_the_loss_is_the_sum_over_classifiers(make_model: MakeModel) -> None:
    model = make_model().eval()
    images, labels = torch.randn(4, 1, 8, 8), torch.tensor([0, 3, 9, 3])
    heads = cast(Callable[[Tensor], dict[str, Tensor]], model.forward_heads)(images)
    log_probabilities = [logits.log_softmax(dim=1) for logits in heads.values()]
    targets = torch.full((4, 10), 0.02).scatter_(1, labels[:, None], 0.82)
    expected = sum(-(targets * log).sum(dim=1).mean() for log in log_probabilities)
    found = ClassifierLoss(label_smoothing=0.2)(model, images, labels)
    assert len(heads) == 2
    assert torch.allclose(found, torch.as_tensor(expected))


class Constant(nn.Module):
    """Always answers with the same logits."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, images: Tensor) -> Tensor:
        assert not self.training
        return self.logits.expand(len(images), -1)


@pytest.mark.parametrize("batch", [1000, 50])
def test_accuracy_counts_the_right_answers(digits: Dataset, batch: int) -> None:
    _, labels = digits.validation.batch(torch.arange(len(digits.validation)))
    model = Constant([0.0] * 3 + [1.0] + [0.0] * 6)
    correct, count = evaluate(model, digits.validation, device=torch.device("cpu"), batch=batch)
    assert (correct, count) == (int((labels == 3).sum()), len(labels))
    assert model.training


def test_an_answer_that_is_not_finite_is_wrong(digits: Dataset) -> None:
    model = Constant([float("nan")] * 10)
    assert evaluate(model, digits.validation, device=torch.device("cpu"), batch=64)[0] == 0


def test_devices() -> None:
    assert choose_device("cpu", profile="local") == torch.device("cpu")
    with pytest.raises(DeviceError, match="allowed are auto, cpu, cuda"):
        choose_device("gpu", profile="local")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_without_cuda() -> None:
    assert choose_device("auto", profile="local") == torch.device("cpu")
    with pytest.raises(DeviceError, match=r"write training: \{device: cpu\} or"):
        choose_device("cuda", profile="local")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_with_cuda() -> None:
    for name in ("auto", "cuda"):
        assert choose_device(name, profile="local") == torch.device("cuda")
