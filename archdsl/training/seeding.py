"""Every random choice of a training, from its seed and epoch alone."""

from __future__ import annotations

import torch

from archdsl.identity import digest


def derive_seed(seed: int, epoch: int, purpose: str) -> int:
    """A seed of 63 bits; those of different epochs and purposes are independent."""
    return int(digest([seed, epoch, purpose]), 16) >> 1


def generator(seed: int, epoch: int, purpose: str) -> torch.Generator:
    """A generator on the CPU, so that every device draws the same numbers."""
    return torch.Generator().manual_seed(derive_seed(seed, epoch, purpose))
