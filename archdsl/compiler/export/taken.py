"""A network that is to be exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from archdsl.compiler.build import build_plan
from archdsl.compiler.export.preprocessing import Preprocessing
from archdsl.errors import WeightsError
from archdsl.nn.initialise import WEIGHT_STD
from archdsl.nn.network import Network
from archdsl.plan.plan import Plan

FIRST_NAMES = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Taken:
    """A network to export, with what is said of it.

    Args:
        network: in eval mode, on the CPU; gives the logits of its prediction.
        name: for people.
        arch_id: of its architecture.
        weights: where they are from, in words.
        document: its own, or what is said of a model of timm's.
        preprocessing: what is said of its images.

    Raises:
        WeightsError: weights are NaN or infinite; names the first.
    """

    network: nn.Module
    name: str
    arch_id: str
    weights: str
    document: Mapping[str, Any]
    preprocessing: Preprocessing

    def __post_init__(self) -> None:
        state = self.network.state_dict()
        found = [name for name, each in state.items() if not bool(each.isfinite().all())]
        if found:
            more = f" and {len(found) - FIRST_NAMES} more" if len(found) > FIRST_NAMES else ""
            raise WeightsError(
                f"weights are NaN or infinite, in {', '.join(found[:FIRST_NAMES])}{more}: the "
                "training diverged; export one that did not"
            )


def fresh(plan: Plan, *, seed: int) -> Network:
    """A network with weights of a seed, those of classifiers too: they begin with zero, and then
    any two networks agree."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build_plan(plan)
        for module in network.classifiers.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=WEIGHT_STD)
    return network.eval()
