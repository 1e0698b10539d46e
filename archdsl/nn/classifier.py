"""From streams' tokens to logits."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

NORM_EPS = 1e-6
TOKEN = {"cls": 0, "distillation": 1}
"""Places of the prefix tokens a classifier may take."""


class Classifier(nn.Module):
    """Optional norm of all tokens, pooling, optional norm of the pooled token, linear map.

    Args:
        streams: names of the streams it sees, in order, with their numbers of prefix tokens, which
            are left out of a mean; pooled tokens of several stand side by side.
        dim: width of a pooled token, all streams together.
        num_classes: number of logits; 0 leaves the pooled features.
        pool: `mean`, `cls` or `distillation` (the first, the second token).
        norm: `tokens`, `pooled`, `both` or `none`: where LayerNorms stand.
    """

    def __init__(
        self, *, streams: Mapping[str, int], dim: int, num_classes: int, pool: str, norm: str
    ) -> None:
        super().__init__()
        self.streams, self.dim, self.pool = dict(streams), dim, pool
        tokens, pooled = norm in ("tokens", "both"), norm in ("pooled", "both")
        self.norm = nn.LayerNorm(dim, eps=NORM_EPS) if tokens else nn.Identity()
        self.pooled_norm = nn.LayerNorm(dim, eps=NORM_EPS) if pooled else nn.Identity()
        self.linear: nn.Module
        self.reset(num_classes)

    def reset(self, num_classes: int) -> None:
        """A fresh linear map for `num_classes`, zero as in the published recipe, where the other
        parameters are and of their type."""
        if not num_classes:
            self.linear = nn.Identity()
            return
        here = next(self.parameters(), None)
        linear = nn.Linear(self.dim, num_classes).to(here)
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)
        self.linear = linear

    def normalised(self, streams: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tokens of its streams: (batch, tokens, dim), through the norm of all tokens."""
        return {name: self.norm(streams[name]) for name in self.streams}

    def forward(self, streams: Mapping[str, Tensor]) -> Tensor:
        """`normalised` tokens by stream: (batch, tokens, dim) -> (batch, num_classes)."""
        logits: Tensor = self.linear(self.pooled(streams))
        return logits

    def pooled(self, streams: Mapping[str, Tensor]) -> Tensor:
        """What the linear map is given: (batch, dim)."""
        pooled = [self._pooled(streams[name], prefix) for name, prefix in self.streams.items()]
        together = pooled[0] if len(pooled) == 1 else torch.cat(pooled, dim=-1)
        normalised: Tensor = self.pooled_norm(together)
        return normalised

    def _pooled(self, tokens: Tensor, prefix: int) -> Tensor:
        if self.pool in TOKEN:
            return tokens[:, TOKEN[self.pool]]
        return (tokens[:, prefix:] if prefix else tokens).mean(dim=1)
