"""From a stream's tokens to logits."""

from __future__ import annotations

from torch import Tensor, nn

NORM_EPS = 1e-6


class Classifier(nn.Module):
    """Optional norm of all tokens, pooling, optional norm of the pooled token, linear map.

    Args:
        dim: width of the tokens.
        prefix_tokens: learned tokens in front, left out of a mean.
        num_classes: number of logits; 0 leaves the pooled features.
        pool: `mean` or `cls` (the first token).
        norm: `tokens`, `pooled` or `both`: where LayerNorms stand.
    """

    def __init__(
        self, *, dim: int, prefix_tokens: int, num_classes: int, pool: str, norm: str
    ) -> None:
        super().__init__()
        self.dim, self.prefix_tokens, self.pool = dim, prefix_tokens, pool
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

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: (batch, tokens, dim), already through `norm` -> logits: (batch, num_classes)."""
        pooled = tokens[:, 0] if self.pool == "cls" else tokens[:, self.prefix_tokens :].mean(dim=1)
        logits: Tensor = self.linear(self.pooled_norm(pooled))
        return logits
