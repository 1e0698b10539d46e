"""A search's candidate as a network."""

from __future__ import annotations

import torch
from torch import nn

from archdsl.compiler.build import build
from archdsl.records import Job
from archdsl.spec.model import ModelSpec


def build_candidate(candidate: Job, *, seed: int) -> tuple[nn.Module, tuple[int, int, int]]:
    """The network, its weights drawn from `seed`, and its images' (channels, height, width)."""
    spec = ModelSpec.model_validate(candidate.spec)
    torch.manual_seed(seed)
    height, width = spec.image.size
    return build(spec), (spec.image.channels, height, width)
