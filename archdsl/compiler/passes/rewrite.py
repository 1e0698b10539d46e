"""What a pass is, what it is told and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

Choose = Callable[[str, Mapping[str, Callable[[], Any]]], str]
"""What is to be chosen for, and name -> a call that computes the same as the others; the name of
the one to take."""


def first(what: str, calls: Mapping[str, Callable[[], Any]]) -> str:
    """The first of several calls: a choice without measuring any."""
    return next(iter(calls))


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a network is rewritten for.

    Args:
        device: where it will run; `meta` where it is only traced.
        dtype: of its images.
        image: (channels, height, width) of its images, where that is known.
        batch: images per call.
        heads: what will be asked of it: every classifier's answer, or only the predicted one.
        training: whether it will be trained; otherwise it is in evaluation mode.
        packs: whether weights may be laid out anew: not where torch.compile follows, which does so
            itself, nor under autocast, which casts them in each call.
        choose: decides between variants by whatever its giver likes, such as their latencies. The
            first of them has the fewest multiply-adds.
    """

    device: torch.device
    dtype: torch.dtype = torch.float32
    image: tuple[int, int, int] | None = None
    batch: int = 1
    heads: Literal["all", "predicted"] = "all"
    training: bool = False
    packs: bool = True
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


@dataclass(frozen=True, kw_only=True)
class Pass:
    """A rewrite that leaves what a network computes as it is, but for rounding.

    Args:
        name: as a user names it.
        needs: what must hold for it to change anything, in words.
        trains: whether gradients of all weights stay what they are.
        apply: rewrites a network in place.
    """

    name: str
    needs: str
    trains: bool
    apply: Callable[[nn.Module, Target], Rewrite]
