"""What is learned of a teacher's answers."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from archdsl.training.recipe import Recipe

DISTILLATION = "distillation"
"""The classifier of a distillation token, which learns of the teacher alone."""


def taught_apart(model: nn.Module) -> bool:
    """Whether it has one, by our name or as timm's models have it."""
    classifiers: Any = getattr(model, "classifiers", ())
    return DISTILLATION in classifiers or hasattr(model, "set_distilled_training")


def distillation_loss(logits: Tensor, taught: Tensor, recipe: Recipe) -> Tensor:
    """How far answers are from the teacher's.

    Args:
        logits: (batch, classes).
        taught: the teacher's, (batch, classes).
        recipe: soft is the Kullback-Leibler divergence at its temperature, times its square;
            hard the cross-entropy of the teacher's likeliest class (DeiT, arXiv 2012.12877, 3).
    """
    if recipe.distillation == "hard":
        return cross_entropy(logits, taught.argmax(dim=1))
    own, theirs = (log_softmax(each / recipe.temperature, dim=1) for each in (logits, taught))
    return kl_div(own, theirs, reduction="batchmean", log_target=True) * recipe.temperature**2
