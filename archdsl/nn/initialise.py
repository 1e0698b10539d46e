"""Fresh weights for a whole network, as published ViTTM models start."""

from __future__ import annotations

import torch
from torch import nn

from archdsl.nn.network import Network

WEIGHT_STD = 0.02


def initialise(network: Network) -> None:
    """Draw every parameter from torch's global seed, whatever it held before.

    Linear maps are truncated normal, those of embeddings Xavier uniform, those of classifiers zero;
    every other module that holds parameters of its own draws them in `reset_parameters`.

    Raises:
        TypeError: a module holds parameters and has no `reset_parameters`.
    """
    for name, module in network.named_modules():
        own = list(module.parameters(recurse=False))
        if module is network.unused:
            with torch.no_grad():
                for parameter in own:
                    parameter.zero_()
        elif isinstance(module, nn.Linear):
            _draw_linear(module, room=name.partition(".")[0])
        elif own:
            _reset(module, name)


def _draw_linear(linear: nn.Linear, *, room: str) -> None:
    if room == "classifiers":
        nn.init.zeros_(linear.weight)
    elif room == "embeds":
        nn.init.xavier_uniform_(linear.weight)
    else:
        nn.init.trunc_normal_(linear.weight, std=WEIGHT_STD)
    nn.init.zeros_(linear.bias)


def _reset(module: nn.Module, name: str) -> None:
    reset = getattr(module, "reset_parameters", None)
    if reset is None:
        raise TypeError(f"nothing says how the weights of {name} ({type(module).__name__}) start")
    reset()
