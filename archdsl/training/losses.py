"""What training minimises."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn


class ClassifierLoss:
    """The sum over a model's classifiers of the cross-entropy with smoothed labels.

    Source: ViTTM trains with the sum of both streams' losses (published implementation).
    """

    def __init__(self, *, label_smoothing: float) -> None:
        self.cross_entropy = nn.CrossEntropyLoss(label_smoothing=label_smoothing)

    def __call__(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """The loss of one batch.

        Args:
            model: with `forward_heads(images)` → a dict of logits (batch, num_classes).
            images: (batch, channels, height, width).
            labels: (batch,) int64.

        Returns:
            A scalar.
        """
        forward_heads = cast(Callable[[Tensor], dict[str, Tensor]], model.forward_heads)
        losses = [self.cross_entropy(logits, labels) for logits in forward_heads(images).values()]
        return torch.stack(losses).sum()
