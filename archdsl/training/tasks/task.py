"""What a task is to the training loop and to those who score its trainings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from archdsl.training.recipe import Recipe

Counts = Mapping[str, Any]
"""What was counted on the images of a split: whole numbers, or lists of them, as JSON holds them.

Checkpoints keep counts in place of metrics: nothing is rounded, and intervals follow from them."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """The value of a metric on a split, and its 95 % interval: what other such images would give.

    Args:
        value: in the unit of the metric, as are the ends.
        low: the lower end.
        high: the upper end.
        counts: those that it follows from.
    """

    value: float
    low: float
    high: float
    counts: Counts


class Task(Protocol):
    """What a network is trained for.

    A batch is what a `Split` gives: images (batch, channels, height, width) and their targets.
    """

    @property
    def name(self) -> str:
        """One word, part of what names a training."""

    def blank_targets(self, images: Tensor) -> Tensor:
        """Targets that fit made-up images, on their device: for a step that is only tried."""

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
        """What training minimises.

        Args:
            model: in training mode.
            images: of a batch.
            targets: theirs.
            recipe: says which loss.
            class_weights: (num_classes,) how much the images of each class count; all alike unless
                given.
            taught: a teacher's answers, (batch, num_classes); None without one.

        Returns:
            A scalar.
        """

    def count(self, model: nn.Module, images: Tensor, targets: Tensor) -> Mapping[str, Tensor]:
        """What the predictions for a batch come to, from which the metrics follow.

        Returns:
            Whole numbers by name, on the device of the images. Those of several batches add up.
        """

    def fewest_classes(self, metric: str) -> int:
        """With fewer classes than that a metric says nothing."""

    def values(self, counts: Counts, *, images: int) -> Mapping[str, float]:
        """The metrics of a split, by their names in `archdsl.metrics.METRICS`.

        Args:
            counts: sums over the split; a training of before may lack those of later metrics,
                which are then left out.
            images: of the split; at least 1.
        """

    def score(self, metric: str, counts: Counts, *, images: int) -> Score:
        """One of these metrics with its interval."""
