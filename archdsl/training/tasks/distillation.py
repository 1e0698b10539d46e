"""What is learned of a teacher's answers."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from archdsl.training.recipe import Recipe


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
