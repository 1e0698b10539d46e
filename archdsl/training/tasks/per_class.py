"""Metrics that weigh all classes alike, from three counts of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from archdsl.training.tasks.task import Counts

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PerClass:
    """What became of the images of a split, class by class. Not the whole confusion matrix, which
    would grow with the square of the classes.

    Args:
        hits: images of each class that were taken for it.
        predicted: images that were taken for each class.
        labelled: images of each class.
    """

    NAMES: ClassVar[tuple[str, ...]] = ("hits", "predicted", "labelled")

    hits: Array
    predicted: Array
    labelled: Array

    @classmethod
    def of(cls, counts: Counts) -> PerClass:
        """Those among the counts of a task."""
        return cls(**{name: np.asarray(counts[name], dtype=np.float64) for name in cls.NAMES})

    @property
    def balanced_accuracy(self) -> float:
        """Mean over the classes of the share of their images that were recognised, in percent;
        classes without images are left out."""
        there = self.labelled > 0
        return 100 * float(np.mean(self.hits[there] / self.labelled[there]))

    @property
    def f1(self) -> float:
        """Mean over the classes of 2 hits / (labelled + predicted), in percent; classes that
        occur neither among labels nor among predictions are left out."""
        together = self.labelled + self.predicted
        there = together > 0
        return 100 * float(np.mean(2 * self.hits[there] / together[there]))

    def effective_images(self, metric: str) -> float:
        """How many images a plain share would take to be as well known as a metric is.

        A share p of n images has the variance p (1 - p) / n. That of a metric is linearised (the
        delta method): within each class, as many images as it has are hits or misses by chance,
        and a miss is taken for another class as often as the misses of all are. No more than what
        the mean over the classes amounts to if all are recognised equally well, C^2 / sum(1 / n_c):
        the only bound where nothing was missed, or nothing hit.

        Args:
            metric: `balanced_accuracy` or `f1`.
        """
        there = self.labelled > 0
        labelled = self.labelled[there]
        most = len(labelled) ** 2 / float(np.sum(1 / labelled))
        share = (self.f1 if metric == "f1" else self.balanced_accuracy) / 100
        of_hit, of_taken = self._weights(metric)
        recall = self.hits[there] / labelled
        mean, square = (self._of_miss(of_taken**power)[there] for power in (1, 2))
        of_image = recall * of_hit[there] ** 2 + (1 - recall) * square
        of_image -= (recall * of_hit[there] + (1 - recall) * mean) ** 2
        variance = float(np.sum(labelled * of_image))
        return min(most, share * (1 - share) / variance) if variance > 0 < share < 1 else most

    def _weights(self, metric: str) -> tuple[Array, Array]:
        """By how much the metric changes with a hit in each class, and with another class's image
        that is taken for it."""
        if metric == "f1":
            together = self.labelled + self.predicted
            part = np.sum(together > 0) * np.maximum(together, 1) ** 2
            return 2 * (together - self.hits) / part, -2 * self.hits / part
        classes = np.sum(self.labelled > 0)
        return 1 / (classes * np.maximum(self.labelled, 1)), np.zeros_like(self.hits)

    def _of_miss(self, values: Array) -> Array:
        """Mean of the values of the class that a missed image of each class is taken for."""
        taken = self.predicted - self.hits
        others = np.maximum(taken.sum() - taken, 1)
        mean: Array = (np.sum(taken * values) - taken * values) / others
        return mean
