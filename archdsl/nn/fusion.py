"""How what was read joins the target stream: `forward(target, read) -> target`."""

from __future__ import annotations

from torch import Tensor, nn


class AddFusion(nn.Module):
    """target + read (the paper's Add)."""

    def forward(self, target: Tensor, read: Tensor) -> Tensor:
        """Both (batch, tokens, dim)."""
        return target + read


class EraseFusion(nn.Module):
    """read in place of the target (the paper's Erase)."""

    def forward(self, target: Tensor, read: Tensor) -> Tensor:
        """Both (batch, tokens, dim)."""
        return read


class AddEraseFusion(nn.Module):
    """(1 - a) target + a read, with one learned weight a for each token (the paper's Eq. 10).

    a = sigmoid(Wa mean(read)): the number of tokens is part of the weights.

    Args:
        tokens: number of target tokens.
        dim: their width.
    """

    def __init__(self, *, tokens: int, dim: int) -> None:
        super().__init__()
        self.gate = nn.Linear(dim, tokens)

    def forward(self, target: Tensor, read: Tensor) -> Tensor:
        """Both (batch, tokens, dim)."""
        weight = self.gate(read.mean(dim=1)).sigmoid().unsqueeze(-1)  # (batch, tokens, 1)
        fused: Tensor = (1 - weight) * target + weight * read
        return fused
