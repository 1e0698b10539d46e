"""What a pass is told and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

Choose = Callable[[Mapping[str, Callable[[], Any]]], str]
"""Name -> a call that computes the same as the others; the name of the one to take."""


def first(calls: Mapping[str, Callable[[], Any]]) -> str:
    """The first of several calls: a choice without measuring any."""
    return next(iter(calls))


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a network is rewritten for.

    Args:
        device: where it will run; `meta` where it is only traced.
        dtype: of its images.
        batch: images per call.
        training: whether it will be trained; otherwise it is in evaluation mode.
        choose: decides between variants by whatever its giver likes, such as their latencies.
    """

    device: torch.device
    dtype: torch.dtype = torch.float32
    batch: int = 1
    training: bool = False
    choose: Choose = first


@dataclass(frozen=True, kw_only=True)
class Rewrite:
    """What a pass has made of a network.

    Args:
        network: the network given, changed in place.
        explanation: what was changed, a line each.
    """

    network: nn.Module
    explanation: tuple[str, ...]
