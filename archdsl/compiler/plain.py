"""What tells networks apart: the settings of their modules, the shapes of their tensors."""

from __future__ import annotations

from contextlib import suppress
from typing import TypeGuard

from torch import nn

from archdsl.compiler.build import build_without_weights
from archdsl.identity import canonical_json
from archdsl.nn.network import Network

OF_TIMM = ("pretrained_cfg", "default_cfg", "pretrained_model_args", "_traits", "_model_args")
"""What timm notes in a model that it was asked for."""
Modules = list[tuple[str, str, dict[str, str]]]
"""Path, class and settings of each module."""


def is_plain(model: nn.Module) -> TypeGuard[Network]:
    """Whether a module is a network that does what its plan says: since it was compiled, no module
    was exchanged and no setting changed. Weights, their device and their type do not count."""
    if type(model) is not Network:
        return False
    found = modules(model)
    for word in OF_TIMM:
        found[0][2].pop(word, None)
    return found == modules(build_without_weights(model.plan))


def modules(model: nn.Module) -> Modules:
    """Every module of a model, itself included."""
    return [
        (name, type(module).__qualname__, settings(module))
        for name, module in model.named_modules()
    ]


def settings(module: nn.Module) -> dict[str, str]:
    """The attributes of a module that JSON can hold, as JSON: numbers, words and lists of them."""
    found = {}
    for name, value in vars(module).items():
        with suppress(TypeError, ValueError):
            found[name] = canonical_json(value)
    del found["training"]
    return found


def tensors(model: nn.Module) -> list[tuple[str, str, list[int]]]:
    """Name, type and shape of everything in a model's state dict."""
    return [
        (name, str(tensor.dtype), list(tensor.shape)) for name, tensor in model.state_dict().items()
    ]
