"""How what was read joins the target stream: `forward(target, read) -> target`."""

from __future__ import annotations

from torch import Tensor, nn


class AddFusion(nn.Module):
    """target + read (the paper's Add)."""

    def forward(self, target: Tensor, read: Tensor) -> Tensor:
        """Both (batch, tokens, dim)."""
        return target + read
