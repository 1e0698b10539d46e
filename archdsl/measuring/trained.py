"""What takes a training: trained on the train split, scored on validation, at last on test.

The search sees only validation. The test split is for the members of a finished front, each of
which is scored on it with the weights it was selected with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archdsl.measuring.trainings import VERSION, OnEpoch, Trainings
from archdsl.metrics import on_test_images
from archdsl.records import Job, Measurement
from archdsl.training.optimizer import optimizer_remarks


class ValidationEvaluator:
    """A metric on validation images, after training with each seed."""

    def __init__(self, trainings: Trainings) -> None:
        self.quantity = trainings.metric
        self._trainings = trainings

    def protocol(self) -> Mapping[str, Any]:
        return self._trainings.protocol

    def check(self, candidate: Job) -> Sequence[str]:
        return self._trainings.check(candidate)

    def measure(self, candidate: Job, *, report: OnEpoch) -> Measurement:
        """Train with each seed in turn."""
        trainings, metric = self._trainings, self.quantity
        results = []
        for seed in trainings.seeds:
            model, dataset, result, began = trainings.train(candidate, seed=seed, report=report)
            results.append(result)
        raw = [[values[metric] for values in each.raw_history] for each in results]
        return trainings.measurement(
            metric,
            [(result.counts, result.images) for result in results],
            protocol=self.protocol(),
            detail={
                "history": [
                    [values[metric] for values in each.history if metric in values]
                    for each in results
                ],
                "train_seconds": sum(result.seconds for result in results),
                "weights": str(trainings.folder(candidate)),
                "images": {part: len(split) for part, split in dataset.splits().items()},
                "remarks": [
                    *dataset.remarks,
                    *optimizer_remarks(model, trainings.recipe),
                    *([began] if began else []),
                ],
                **({"history_without_ema": raw} if any(raw) else {}),
            },
        )


class FinalEvaluator:
    """A metric on test images, with the weights that it was measured with on validation images.

    Nothing else reads the test split. Trains again with the same seeds where weights are missing.

    Args:
        trainings: of data that have a test split.
    """

    def __init__(self, trainings: Trainings) -> None:
        self.quantity = on_test_images(trainings.metric)
        self._trainings = trainings
        self._protocol = {**trainings.protocol, "evaluator": f"{self.quantity}/{VERSION}"}

    def protocol(self) -> Mapping[str, Any]:
        return self._protocol

    def check(self, candidate: Job) -> Sequence[str]:
        self._trainings.check(candidate)
        return ()  # the same data were told of where they are trained on

    def measure(self, candidate: Job, *, report: OnEpoch) -> Measurement:
        trainings, counted = self._trainings, []
        for seed in trainings.seeds:
            model, dataset, *_ = trainings.train(candidate, seed=seed, report=report)
            test = dataset.splits()["test"]
            counted.append((trainings.count(candidate, model, test), len(test)))
        return trainings.measurement(self.quantity, counted, protocol=self._protocol, detail={})
