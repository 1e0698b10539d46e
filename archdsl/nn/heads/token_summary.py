"""Token summary: the read and write of Token Turing Machines, the paper's TokenSummary head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archdsl.nn.heads.cross_attention import NORM_EPS


class TokenSummary(nn.Module):
    """Each target token becomes a learned weighted sum of all source and target tokens.

    With x = [source, target]: weights = softmax over tokens of MLP(LayerNorm(x)), one column for
    each target token; read = weights^T x. The MLP's hidden width is the number of target tokens, as
    in published models, so token counts are part of the weights.

    Args:
        target_dim: width of the target, of x and of the result.
        source_dim: width of the source; projected to the target's where they differ.
        tokens: number of target tokens.
    """

    def __init__(self, *, target_dim: int, source_dim: int, tokens: int) -> None:
        super().__init__()
        same = source_dim == target_dim
        self.source = nn.Identity() if same else nn.Linear(source_dim, target_dim)
        self.norm = nn.LayerNorm(target_dim, eps=NORM_EPS)
        self.fc1 = nn.Linear(target_dim, tokens)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(tokens, tokens)

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        """Summarise for every token of `target`; shapes as in `archdsl.nn.heads`."""
        every = torch.cat([self.source(source), target], dim=1)
        scores = self.fc2(self.act(self.fc1(self.norm(every))))  # (batch, all tokens, target)
        return torch.matmul(scores.softmax(dim=1).transpose(1, 2), every)
