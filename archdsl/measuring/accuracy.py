"""The accuracy of a candidate: trained on the train split, scored on validation, at last on test.

The search sees only validation. The test split is for the members of a finished front, each of
which is scored on it with the weights it was selected with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

import torch
from torch import nn

from archdsl.analysis.statistics import mean_interval, wilson_interval
from archdsl.device_lock import SharedDeviceLock
from archdsl.identity import digest
from archdsl.measuring.candidate import build_candidate
from archdsl.measuring.settings import AccuracySettings
from archdsl.records import Job, Measurement
from archdsl.spec.model import ModelSpec
from archdsl.storage.storage import Storage
from archdsl.training.data.dataset import Dataset, check_data
from archdsl.training.data.source import open_data
from archdsl.training.device import lock_names
from archdsl.training.evaluate import evaluate
from archdsl.training.loop import FitResult, fit

EVALUATOR = "top1/1"
TEST_EVALUATOR = "test_top1/1"
OnReport = Callable[[int, float], None]


class Trainings:
    """Trains candidates of one study: its data, recipe and seeds, in one place.

    Args:
        settings: the study's `evaluate.top1`.
        device: where they are trained.
        names: data sets of the run profile, name to source.
        storage: folder for weights, one folder per architecture, protocol and seed; it is
            tried out.

    Raises:
        DataError: data that cannot be opened.
        NameNotFoundError: no recipe of that name.
        DocumentError: a recipe whose schedule does not fit into the epochs.
        WriteError: a storage that cannot be written.
    """

    def __init__(
        self,
        settings: AccuracySettings,
        *,
        device: torch.device,
        names: Mapping[str, str],
        storage: Storage,
    ) -> None:
        self.seeds = settings.seeds
        self.recipe = settings.resolved_recipe()
        self.device = device
        self._settings = settings
        self._names = dict(names)
        self._storage = storage
        storage.check()
        first = self._open(settings.image_size)
        self._datasets = {first.image_size: first}
        self.protocol = {
            "evaluator": EVALUATOR,
            "data": first.digest,
            "recipe": self.recipe.model_dump(mode="json"),
            "seeds": list(self.seeds),
            "split_seed": settings.split_seed,
        }

    def train(
        self, candidate: Job, *, seed: int, report: OnReport
    ) -> tuple[nn.Module, Dataset, FitResult]:
        """The trained network and its data; a training that is on disk is not repeated.

        Raises:
            DataError: the data do not fit the candidate.
            DivergedError: a loss is infinite or not a number.
        """
        dataset = self._dataset_for(ModelSpec.model_validate(candidate.spec))
        model, _ = build_candidate(candidate, seed=seed)
        result = fit(
            model,
            dataset,
            recipe=self.recipe,
            seed=seed,
            device=self.device,
            storage=self.folder(candidate) / f"seed-{seed}",
            report=report,
        )
        return model, dataset, result

    def check(self, candidate: Job) -> None:
        """
        Raises:
            DataError: the data do not fit the candidate; names every disagreement.
        """
        self._dataset_for(ModelSpec.model_validate(candidate.spec))

    def folder(self, candidate: Job) -> Storage:
        """Where the weights of a candidate lie, one folder per seed."""
        return self._storage / f"{candidate.arch_id}-{digest(self.protocol)}"

    def _dataset_for(self, spec: ModelSpec) -> Dataset:
        size = spec.image.size
        dataset = self._datasets.get(size) or self._open(size)
        check_data(
            dataset,
            image_size=size,
            channels=spec.image.channels,
            num_classes=spec.output.num_classes,
        )
        return self._datasets.setdefault(size, dataset)

    def _open(self, image_size: tuple[int, int] | None) -> Dataset:
        return open_data(
            self._settings.data,
            names=self._names,
            split_seed=self._settings.split_seed,
            image_size=image_size,
        )


class AccuracyEvaluator:
    """Validation accuracy: `top1` in percent, after training with each seed."""

    quantity = "top1"

    def __init__(self, trainings: Trainings) -> None:
        self._trainings = trainings

    def protocol(self) -> Mapping[str, Any]:
        return self._trainings.protocol

    def check(self, candidate: Job) -> None:
        self._trainings.check(candidate)

    def measure(self, candidate: Job, *, report: OnReport) -> Measurement:
        """Train with each seed in turn; epochs are counted on from one seed to the next."""
        trainings = self._trainings
        results = [
            trainings.train(
                candidate,
                seed=seed,
                report=_counted_from(position * trainings.recipe.epochs, report),
            )[2]
            for position, seed in enumerate(trainings.seeds)
        ]
        return accuracy(
            self.quantity,
            [(result.correct, result.count) for result in results],
            protocol=self.protocol(),
            detail={
                "history": [list(result.history) for result in results],
                "train_seconds": sum(result.seconds for result in results),
                "weights": str(trainings.folder(candidate)),
            },
        )


class FinalAccuracyEvaluator:
    """Test accuracy: `test_top1` in percent, of the weights that `top1` was measured with."""

    quantity = "test_top1"

    def __init__(self, trainings: Trainings) -> None:
        self._trainings = trainings
        self._protocol = {**trainings.protocol, "evaluator": TEST_EVALUATOR}

    def protocol(self) -> Mapping[str, Any]:
        return self._protocol

    def check(self, candidate: Job) -> None:
        self._trainings.check(candidate)

    def measure(self, candidate: Job, *, report: OnReport) -> Measurement:
        return score_test(candidate, trainings=self._trainings, report=report)


def score_test(candidate: Job, *, trainings: Trainings, report: OnReport) -> Measurement:
    """Score a candidate on the test split, which nothing else reads.

    Takes the stored weights; trains again with the same seeds where they are missing.
    """
    scores = []
    for seed in trainings.seeds:
        model, dataset, _ = trainings.train(candidate, seed=seed, report=report)
        with SharedDeviceLock(lock_names(trainings.device)) as lock:
            scores.append(
                evaluate(
                    model,
                    dataset.test,
                    device=trainings.device,
                    batch=trainings.recipe.batch,
                    after_batch=lock.give_way,
                )
            )
    return accuracy(
        "test_top1", scores, protocol={**trainings.protocol, "evaluator": TEST_EVALUATOR}, detail={}
    )


def accuracy(
    quantity: str,
    scores: Sequence[tuple[int, int]],
    *,
    protocol: Mapping[str, Any],
    detail: Mapping[str, Any],
) -> Measurement:
    """An accuracy in percent with its 95 % interval.

    Args:
        quantity: `top1` or `test_top1`.
        scores: (correct, all) images of each seed. One seed has Wilson's interval, about the
            images; several have Student's, about the seeds.
        protocol: see `Measurement`.
        detail: see `Measurement`; the counts are added.
    """
    shares = [100 * correct / count for correct, count in scores]
    if len(scores) == 1:
        low, high, _ = wilson_interval(*scores[0])
    else:
        low, high, _ = mean_interval(shares)
    return Measurement(
        quantity=quantity,
        value=fmean(shares),
        low=max(low, 0.0),
        high=min(high, 100.0),
        unit="%",
        protocol=protocol,
        detail={
            **detail,
            "correct": [correct for correct, _ in scores],
            "count": [count for _, count in scores],
        },
    )


def _counted_from(start: int, report: OnReport) -> OnReport:
    return lambda epoch, value: report(start + epoch, value)
