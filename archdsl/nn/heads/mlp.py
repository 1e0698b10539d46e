"""MLP of the source, joined to the target token by token (Rev-ViT)."""

from __future__ import annotations

from torch import Tensor, nn


class MlpHead(nn.Module):
    """read = W2 GELU(W1 source).

    Args:
        target_dim: width of the result.
        source_dim: width of the stream that is read.
        mlp_dim: hidden width.
    """

    def __init__(self, *, target_dim: int, source_dim: int, mlp_dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(source_dim, mlp_dim)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(mlp_dim, target_dim)

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        """Each token of `source`, which has as many as `target`, through the MLP; shapes as in
        `archdsl.nn.heads`."""
        read: Tensor = self.fc2(self.act(self.fc1(source)))
        return read
