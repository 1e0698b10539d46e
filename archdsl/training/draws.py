"""Seeds of all that a training draws: none depends on what was drawn before."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from archdsl.identity import digest


def seed_of(seed: int, *what: int | str) -> int:
    """A seed of 63 bits; those of different purposes, epochs, … are independent."""
    return int(digest([seed, *what]), 16) >> 1


def generator(seed: int, *what: int | str) -> torch.Generator:
    """A generator on the CPU, so that every device draws the same numbers."""
    return torch.Generator().manual_seed(seed_of(seed, *what))


def seed_all(seed: int) -> None:
    """Seed the global generators of this process, from which transforms of pictures draw."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Leave the global generators as they were before."""
    before = random.getstate(), np.random.get_state(), torch.default_generator.get_state()
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.default_generator.set_state(before[2])
