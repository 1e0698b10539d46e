"""What a word costs, computed from its sizes alone, for one image.

Conventions (one multiply-add counts 1):
    macs_fvcore: what fvcore counts and the paper prints as GFLOPs: linear maps, convolutions and
        matrix products; 5 per element of a LayerNorm; nothing for fused attention.
    macs: the same with the products inside fused attention added.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Parameters the forward pass uses, and multiply-adds for one image."""

    params: int = 0
    macs: int = 0
    macs_fvcore: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            params=self.params + other.params,
            macs=self.macs + other.macs,
            macs_fvcore=self.macs_fvcore + other.macs_fvcore,
        )


def linear(tokens: int, inputs: int, outputs: int) -> Cost:
    """A linear map with bias over `tokens` tokens."""
    return product(tokens * inputs * outputs) + Cost(params=(inputs + 1) * outputs)


def layer_norm(tokens: int, dim: int, *, calls: int = 1) -> Cost:
    """A LayerNorm with scale and shift, applied `calls` times."""
    operations = 5 * tokens * dim * calls
    return Cost(params=2 * dim, macs=operations, macs_fvcore=operations)


def product(macs: int) -> Cost:
    """A matrix product without parameters."""
    return Cost(macs=macs, macs_fvcore=macs)


def fused_attention(queries: int, keys: int, dim: int) -> Cost:
    """Both products of scaled dot-product attention over all heads; fvcore does not see them."""
    return Cost(macs=2 * queries * keys * dim)
