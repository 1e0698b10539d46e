"""Which modules of a network are called with what: seen in one forward pass."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from archdsl.compiler.passes.rewrite import Target

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True, kw_only=True)
class Called(Generic[M]):
    """A module, and the tensors of one of its calls."""

    module: M
    inputs: tuple[Tensor, ...]


def calls_of(network: nn.Module, run: Callable[[], Any], kind: type[M]) -> dict[str, Called[M]]:
    """Path of each module of a kind that is called -> its first call.

    Args:
        network: where they are.
        run: calls the network.
        kind: of the modules.
    """
    modules = {path: each for path, each in network.named_modules() if isinstance(each, kind)}
    found: dict[str, Called[M]] = {}
    with ExitStack() as hooks, torch.no_grad():
        for path, module in modules.items():

            def remember(module: Any, inputs: tuple[Tensor, ...], path: str = path) -> None:
                found.setdefault(path, Called(module=module, inputs=inputs))

            hooks.callback(module.register_forward_pre_hook(remember).remove)
        run()
    return {path: found[path] for path in modules if path in found}


def forward_of(network: nn.Module, target: Target) -> Callable[[], Any] | None:
    """A call of a network as it will be asked; None where it is not known which images it takes."""
    if target.image is None:
        return None
    images = torch.zeros(target.batch, *target.image, device=target.device, dtype=target.dtype)
    every: Any = getattr(network, "forward_heads", network)
    return partial(every if target.heads == "all" else network, images)
