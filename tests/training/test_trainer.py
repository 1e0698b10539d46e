"""The learning rate over the epochs, and what does not decay."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import nn

from archdsl.training.optimizer import build_optimizer, build_schedule
from archdsl.training.recipe import Recipe

MakeModel = Callable[..., nn.Module]


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
