"""What names a module that no document describes: equal everywhere, different for what differs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from archdsl.measuring.module_identity import module_identity

SHAPE = (3, 160, 160)
IN_A_PROCESS = """
import timm
from archdsl.measuring.module_identity import module_identity
print(module_identity(timm.create_model("test_vit"), image_shape=(3, 160, 160)))
"""


def identity(module: nn.Module) -> str:
    return module_identity(module, image_shape=SHAPE)


@pytest.mark.slow
def test_it_is_the_same_in_every_process() -> None:
    """This one draws the order of its sets."""
    other = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS],
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == identity(timm.create_model("test_vit"))


def test_weights_type_mode_and_published_weights_do_not_count() -> None:
    model = timm.create_model("test_vit")
    before = identity(model)
    tagged = timm.create_model("test_vit.r160_in1k", pretrained=False)
    assert identity(tagged.to(torch.bfloat16).eval()) == before
    nn.init.ones_(next(model.parameters()))
    assert identity(model.requires_grad_(False)) == before


class Net(nn.Module):
    """A module whose settings and code are varied."""

    def __init__(self, *, width: int = 4, settings: Any = None, bias: bool = True) -> None:
        super().__init__()
        self.linear = nn.Linear(3, width, bias=bias)
        self.settings = settings

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.linear(images)
        return found


class Doubled(Net):
    """Only its code differs."""

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = 2 * self.linear(images)
        return found


def renamed(power: float) -> type[Net]:
    """A class that bears the name of another."""

    def forward(self: Net, images: Tensor) -> Tensor:
        found: Tensor = self.linear(images) ** power
        return found

    return type("Net", (Net,), {"forward": forward})


class Setting:
    """An object that only its attributes tell apart."""

    def __init__(self, value: int) -> None:
        self.value = value


def hooked() -> nn.Module:
    module = Net()
    module.register_forward_hook(lambda module, inputs, output: output + 1)
    return module


MAKERS: list[Callable[[], nn.Module]] = [
    Net,
    partial(Net, width=5),
    partial(Net, bias=False),
    partial(Net, settings=1),
    partial(Net, settings=1.5),
    partial(Net, settings=True),
    partial(Net, settings="1"),
    partial(Net, settings=(1, 2)),
    partial(Net, settings={"a": 1}),
    partial(Net, settings={"a": 2}),
    partial(Net, settings={1, 2}),
    partial(Net, settings=torch.float16),
    partial(Net, settings=torch.zeros(2)),
    partial(Net, settings=torch.zeros(3)),
    partial(Net, settings=functional.gelu),
    partial(Net, settings=functional.relu),
    partial(Net, settings=functional.silu),
    partial(Net, settings=partial(functional.gelu, approximate="tanh")),
    partial(Net, settings=lambda values: values + 1),
    partial(Net, settings=lambda values: values + 2),
    partial(Net, settings=nn.ReLU),
    partial(Net, settings=[nn.Linear(2, 2)]),
    partial(Net, settings=[nn.Linear(2, 3)]),
    partial(Net, settings=Setting(1)),
    partial(Net, settings=Setting(2)),
    Doubled,
    renamed(2),
    renamed(3),
    hooked,
    lambda: nn.Sequential(Net()),
    lambda: nn.Sequential(nn.ReLU(), nn.GELU()),
    lambda: nn.Sequential(nn.GELU(), nn.ReLU()),
    lambda: nn.Conv2d(3, 4, 3, stride=1),
    lambda: nn.Conv2d(3, 4, 3, stride=2),
]


def test_whatever_differs_makes_another_architecture() -> None:
    found = [identity(make()) for make in MAKERS]
    assert len(set(found)) == len(MAKERS)
    assert [identity(make()) for make in MAKERS] == found


def test_the_images_are_part_of_it() -> None:
    assert module_identity(Net(), image_shape=(3, 8, 8)) != identity(Net())


def test_a_module_that_holds_itself_has_an_identity() -> None:
    module = Net(settings={})
    module.settings["itself"] = module.settings
    module.settings["module"] = module.linear
    assert identity(module) != identity(Net(settings={}))


@pytest.mark.parametrize("name", ["test_convnext", "test_resnet", "test_maxvit"])
def test_models_of_timm_differ(name: str) -> None:
    assert identity(timm.create_model(name)) == identity(timm.create_model(name))
    assert identity(timm.create_model(name)) != identity(timm.create_model("test_vit"))
