"""One label for each image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import cast

import torch
from timm.loss import BinaryCrossEntropy  # type: ignore[attr-defined]
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from archdsl.analysis.statistics import wilson_interval, wilson_interval_of_share
from archdsl.errors import ArchdslError
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.distillation import DISTILLATION, distillation_loss
from archdsl.training.tasks.per_class import PerClass
from archdsl.training.tasks.task import Counts, Score

LIKELIEST = 5
_SHARES = {"top1": "correct", "top5": "correct_of_five"}
"""Metrics that are a share of the images, with the count that is."""


def _cross_entropy(
    logits: Tensor, targets: Tensor, *, smoothing: float, weights: Tensor | None
) -> Tensor:
    if weights is None:
        return cross_entropy(logits, targets, label_smoothing=smoothing)
    losses = cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")
    return (weights * losses).mean()


def _answers(model: nn.Module, images: Tensor) -> Mapping[str, Tensor]:
    """The logits of each classifier by its name.

    Raises:
        ArchdslError: a batch norm has one number of each channel to normalise.
    """
    several = cast(
        Callable[[Tensor], dict[str, Tensor]] | None, getattr(model, "forward_heads", None)
    )
    if several is not None:
        return several(images)
    try:
        found = model(images)
    except ValueError as error:
        if not str(error).startswith("Expected more than 1 value per channel"):
            raise
        raise ArchdslError(
            "the network has batch norms, which cannot normalise one image by itself; say a larger "
            "batch, accumulate less of it, or start fewer processes"
        ) from None
    # A model of timm's with a distillation token, which is told that it is taught, gives two.
    return {"": found[0], DISTILLATION: found[1]} if isinstance(found, tuple) else {"": found}


class Classification:
    """The loss of all classifiers of a network; metrics of the one that it predicts with.

    The network: `model(images)` → logits (batch, num_classes), and where it has several
    classifiers, `model.forward_heads(images)` → the logits of each by its name. Targets are labels,
    (batch,) int64; those of mixed images say how much there is of each class, (batch, num_classes),
    smoothed already.
    """

    name = "classification"

    def blank_targets(self, images: Tensor) -> Tensor:
        return torch.zeros(len(images), dtype=torch.int64, device=images.device)

    def loss(
        self,
        model: nn.Module,
        images: Tensor,
        targets: Tensor,
        *,
        recipe: Recipe,
        class_weights: Tensor | None = None,
        taught: Tensor | None = None,
    ) -> Tensor:
        """The sum over the classifiers of the recipe's loss with smoothed labels.

        What a teacher says is learned by all; where there is a distillation token by its classifier
        alone, which then learns nothing of the labels (DeiT, arXiv 2012.12877, 3).

        Source: ViTTM trains with the sum of both streams' losses (published implementation).
        """
        answers = _answers(model, images)
        smoothing = recipe.label_smoothing if targets.ndim == 1 else 0.0
        weights = None
        if class_weights is not None:
            mixed = targets.ndim > 1
            weights = targets @ class_weights if mixed else class_weights[targets]
        loss_of = (
            BinaryCrossEntropy(
                smoothing=smoothing,
                weight=None if weights is None else weights[:, None],
                sum_classes=True,
            )
            if recipe.loss == "bce"
            else partial(_cross_entropy, smoothing=smoothing, weights=weights)
        )
        if taught is None:
            return torch.stack([loss_of(logits, targets) for logits in answers.values()]).sum()
        share, apart = recipe.teacher_share, DISTILLATION in answers
        learned = [
            share * distillation_loss(logits, taught, recipe)
            for name, logits in answers.items()
            if not apart or name == DISTILLATION
        ]
        told = [
            (1 - share) * loss_of(logits, targets)
            for name, logits in answers.items()
            if name != DISTILLATION
        ]
        return torch.stack([*told, *learned]).sum()

    def count(self, model: nn.Module, images: Tensor, targets: Tensor) -> Mapping[str, Tensor]:
        """Images whose largest logit is their label's, or one of the five largest; of each class
        those that were recognised, that were taken for it, and that are of it. With logits that
        are not finite an image is taken for none."""
        logits = model(images)
        finite, taken_for = logits.isfinite().all(dim=1), logits.argmax(dim=1)
        hits = (taken_for == targets) & finite
        likeliest = logits.topk(min(LIKELIEST, logits.shape[1]), dim=1).indices
        among = (likeliest == targets[:, None]).any(dim=1) & finite | hits
        nothing = torch.zeros(logits.shape[1], dtype=torch.int64, device=logits.device)
        return {
            "correct": hits.sum(),
            "correct_of_five": among.sum(),
            "hits": nothing.index_add(0, targets, hits.long()),
            "predicted": nothing.index_add(0, taken_for, finite.long()),
            "labelled": nothing.index_add(0, targets, torch.ones_like(targets)),
        }

    def fewest_classes(self, metric: str) -> int:
        return LIKELIEST + 1 if metric == "top5" else 1

    def values(self, counts: Counts, *, images: int) -> Mapping[str, float]:
        """All metrics in percent."""
        shares = {metric: name for metric, name in _SHARES.items() if name in counts}
        values = {metric: 100 * counts[name] / images for metric, name in shares.items()}
        if "hits" in counts:
            found = PerClass.of(counts)
            values |= {"balanced_accuracy": found.balanced_accuracy, "f1": found.f1}
        return values

    def score(self, metric: str, counts: Counts, *, images: int) -> Score:
        """In percent, with Wilson's interval: of as many images as there are where all count alike,
        else of as many as `PerClass` says."""
        value = self.values(counts, images=images)[metric]
        if metric in _SHARES:
            correct = counts[_SHARES[metric]]
            low, high, _ = wilson_interval(correct, images)
            return Score(value=value, low=low, high=high, counts={"correct": correct})
        found = PerClass.of(counts)
        low, high, _ = wilson_interval_of_share(value / 100, found.effective_images(metric))
        kept = {name: counts[name] for name in PerClass.NAMES}
        return Score(value=value, low=low, high=high, counts=kept)
