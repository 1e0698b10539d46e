"""One label for each image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from archdsl.analysis.statistics import wilson_interval
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.task import Counts, Score


class Classification:
    """Cross-entropy over all classifiers of a network; `top1` of the one that it predicts with.

    The network: `model(images)` → logits (batch, num_classes), `model.forward_heads(images)` →
    the logits of each classifier by its name. Targets are labels: (batch,) int64.
    """

    name = "classification"

    def blank_targets(self, images: Tensor) -> Tensor:
        return torch.zeros(len(images), dtype=torch.int64, device=images.device)

    def loss(self, model: nn.Module, images: Tensor, targets: Tensor, *, recipe: Recipe) -> Tensor:
        """The sum over the classifiers of the cross-entropy with smoothed labels.

        Source: ViTTM trains with the sum of both streams' losses (published implementation).
        """
        forward_heads = cast(Callable[[Tensor], dict[str, Tensor]], model.forward_heads)
        losses = [
            cross_entropy(logits, targets, label_smoothing=recipe.label_smoothing)
            for logits in forward_heads(images).values()
        ]
        return torch.stack(losses).sum()

    def count(self, model: nn.Module, images: Tensor, targets: Tensor) -> Mapping[str, Tensor]:
        """Images whose largest logit is their label's; logits that are not finite never are."""
        logits = model(images)
        hits = (logits.argmax(dim=1) == targets) & logits.isfinite().all(dim=1)
        return {"correct": hits.sum()}

    def scores(self, counts: Counts, *, images: int) -> Mapping[str, Score]:
        """`top1` in percent, with Wilson's interval."""
        correct = counts["correct"]
        low, high, _ = wilson_interval(correct, images)
        return {"top1": Score(value=100 * correct / images, low=low, high=high)}
