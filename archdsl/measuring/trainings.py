"""The trainings of a study's candidates: their data, recipe, seeds, and where their weights lie."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import nn

from archdsl.analysis.statistics import mean_interval
from archdsl.compiler.baseline import baseline_macs, build_baseline
from archdsl.compiler.weights.start import start_from
from archdsl.device_lock import SharedDeviceLock
from archdsl.errors import StudyError, WeightsError
from archdsl.identity import digest
from archdsl.measuring.candidate import build_candidate
from archdsl.measuring.settings import AccuracySettings
from archdsl.metrics import METRICS, TRAINED
from archdsl.plan.baseline import Baseline
from archdsl.plan.expand import expand
from archdsl.records import Job, Measurement
from archdsl.spec.model import ModelSpec
from archdsl.storage.storage import Storage
from archdsl.training.bundle import begun_with_of, read_start
from archdsl.training.data.dataset import Dataset, Split, check_data, told_of
from archdsl.training.data.source import open_data
from archdsl.training.device import cpu_threads, lock_names, threads_for
from archdsl.training.loop import FitResult, Values, evaluate, fit
from archdsl.training.optimizer import check_schedule
from archdsl.training.tasks import TASKS
from archdsl.training.tasks.task import Counts
from archdsl.training.teacher import teacher_of

VERSION = 1
"""Part of every protocol: raised when a value comes to mean something else."""
OnEpoch = Callable[[int, float], None]
"""Takes the epoch and the metric after it."""


class Trainings:
    """Trains candidates of one study: its data, recipe and seeds, in one place.

    Args:
        metric: the one that is measured.
        settings: what the study's `evaluate` says of it.
        device: where they are trained.
        threads: most of the processors that decoding and training may use at a time.
        names: data sets of the run profile, name to source.
        storage: folder for weights, one folder per architecture, protocol and seed; it is
            tried out.

    Raises:
        DataError: data that cannot be opened.
        WeightsError: weights to begin with that cannot be read.
        NameNotFoundError: no recipe of that name.
        DocumentError: a recipe whose schedule does not fit into the epochs or the images.
        WriteError: a storage that cannot be written.
        StudyError: the data have too few classes for the metric.
    """

    def __init__(
        self,
        metric: str,
        settings: AccuracySettings,
        *,
        device: torch.device,
        threads: int,
        names: Mapping[str, str],
        storage: Storage,
    ) -> None:
        self.seeds = settings.seeds
        self.recipe = settings.resolved_recipe()
        self.device = device
        self.threads = threads
        self._settings = settings
        self._names = dict(names)
        self._storage = storage
        storage.check()
        first = self._open(settings.image_size)
        check_schedule(self.recipe, images=len(first.train))
        self.has_test = first.test is not None
        self._datasets = {first.image_size: first}
        self._course = {
            "data": first.digest,
            "recipe": self.recipe.model_dump(mode="json"),
            "seeds": list(self.seeds),
            "split_seed": settings.split_seed,
        }
        self._init = settings.init
        self._start = None if settings.init is None else read_start(Path(settings.init))
        if self._start is not None:
            self._course["init"] = begun_with_of(self._start)
        self._score_by(metric)

    def scored_by(self, metric: str) -> Trainings:
        """The same trainings, of which another metric is measured.

        Raises:
            StudyError: the data have too few classes for it.
        """
        other = copy.copy(self)
        other._score_by(metric)
        return other

    def _score_by(self, metric: str) -> None:
        self.metric, self.task = metric, TASKS[metric]
        self.protocol = self._protocol_of(metric)
        data, fewest = next(iter(self._datasets.values())), self.task.fewest_classes(metric)
        if data.num_classes < fewest:
            raise StudyError(
                f"evaluate.{metric}: says nothing with fewer than {fewest} classes, and the data "
                f"'{data.name}' has {data.num_classes}; evaluate {TRAINED[0]}"
            )

    def _protocol_of(self, metric: str) -> dict[str, Any]:
        return {"evaluator": f"{metric}/{VERSION}", **self._course}

    def train(
        self, candidate: Job, *, seed: int, report: OnEpoch
    ) -> tuple[nn.Module, Dataset, FitResult, str]:
        """The trained network, its data, and which weights it began with, empty where they were
        fresh; a training that is on disk is not repeated.

        What is reported are epochs counted on from one seed to the next.

        Raises:
            DataError: the data do not fit the candidate.
            WeightsError: nothing of the weights to begin with fits it.
            DivergedError: a loss is infinite or not a number.
        """
        dataset = self._dataset_for(candidate)
        model, _ = build_candidate(candidate, seed=seed, drop_path=self.recipe.drop_path)
        began = self._begin(model, dataset, Baseline.read(candidate.spec))
        before = self.seeds.index(seed) * self.recipe.epochs

        def tell(epoch: int, values: Values) -> None:
            if self.metric in values:  # a training of before may have counted less
                report(before + epoch, values[self.metric])

        with self.processors(candidate):
            result = fit(
                model,
                dataset,
                task=self.task,
                recipe=self.recipe,
                seed=seed,
                device=self.device,
                storage=self.folder(candidate) / f"seed-{seed}",
                report=tell,
            )
            if self.metric not in self._values(result):
                counts = {**self.count(candidate, model, dataset.validation), **result.counts}
                result = replace(result, counts=counts)
        return model, dataset, result, began

    def _begin(self, model: nn.Module, dataset: Dataset, baseline: Baseline | None) -> str:
        """Give it what fits of the weights to begin with; what became of them, in words.

        Raises:
            WeightsError: nothing of weights that are for it fits, or a baseline's are others now.
        """
        init, weights = self._init, self._start
        if baseline is not None and baseline.init:
            init, weights = baseline.init, read_start(Path(baseline.init))
            if begun_with_of(weights) != baseline.begun_with:
                raise WeightsError(f"{init} holds other weights than when the search began")
        if weights is None:
            return ""
        try:
            start = start_from(model, weights, classes=dataset.class_names)
        except WeightsError as error:
            if baseline is None:
                raise
            if baseline.init:
                raise WeightsError(f"{init}: {error}") from None
            return f"begins fresh: nothing of {init} fits a model of timm's"
        return f"begins with {init}: {'; '.join(str(start).splitlines())}"

    def count(self, candidate: Job, model: nn.Module, split: Split) -> Counts:
        """What the task counts on a split with a trained network."""
        lock = SharedDeviceLock(lock_names(self.device))
        with lock, self.processors(candidate):
            return evaluate(
                model,
                split,
                task=self.task,
                device=self.device,
                batch=self.recipe.images_at_once,
                after_batch=lock.yield_to_measurement,
            )

    def _values(self, result: FitResult) -> Values:
        return self.task.values(result.counts, images=result.images)

    def processors(self, candidate: Job) -> AbstractContextManager[None]:
        """While it is trained or scored: as many threads as that is worth."""
        named = _named(candidate)
        plan = named if isinstance(named, Baseline) else expand(named)
        return cpu_threads(
            threads_for(
                plan, batch=self.recipe.images_at_once, most=self.threads, device=self.device
            )
        )

    def check(self, candidate: Job) -> Sequence[str]:
        """What a person should know of the data.

        Raises:
            DataError: the data do not fit the candidate or the teacher; names every disagreement.
            WeightsError: the teacher's weights are not there.
        """
        dataset = self._dataset_for(candidate)
        teacher_of(self.recipe, dataset, self.device)
        baseline = Baseline.read(candidate.spec)
        if baseline is not None:
            baseline_macs(baseline)  # refuses images that it cannot take
            model = build_baseline(baseline, seed=0, drop_path=self.recipe.drop_path)
            if baseline.init:
                self._begin(model, dataset, baseline)
            return ()
        return [f"{dataset.name}: {remark}" for remark in told_of(dataset)]

    def folder(self, candidate: Job) -> Storage:
        """Where the weights of a candidate lie, one folder per seed; the same for all metrics."""
        named = digest(self._protocol_of(TRAINED[0]))
        return self._storage / f"{candidate.arch_id}-{named}"

    def measurement(
        self,
        quantity: str,
        counted: Sequence[tuple[Counts, int]],
        *,
        protocol: Mapping[str, Any],
        detail: Mapping[str, Any],
    ) -> Measurement:
        """The metric with its 95 % interval.

        Args:
            quantity: what it is stored as.
            counted: what was counted with each seed, and on how many images. One seed has the
                task's interval, about the images; several have Student's, about the seeds.
            protocol: see `Measurement`.
            detail: see `Measurement`; the counts that the metric follows from are added.
        """
        scores = [self.task.score(self.metric, each, images=images) for each, images in counted]
        values = [score.value for score in scores]
        low, high = scores[0].low, scores[0].high
        if len(scores) > 1:
            low, high, _ = mean_interval(values)
        least, greatest = METRICS[self.metric].bounds
        return Measurement(
            quantity=quantity,
            value=fmean(values),
            low=max(low, least),
            high=min(high, greatest),
            unit=METRICS[self.metric].unit,
            protocol=protocol,
            detail={
                **detail,
                **{name: [each.counts[name] for each in scores] for name in scores[0].counts},
                "count": [images for _, images in counted],
            },
        )

    def _dataset_for(self, candidate: Job) -> Dataset:
        spec = _named(candidate)
        size = spec.image[1:] if isinstance(spec, Baseline) else spec.image.size
        dataset = self._datasets.get(size) or self._open(size)
        check_data(dataset, spec)
        return self._datasets.setdefault(size, dataset)

    def _open(self, image_size: tuple[int, int] | None) -> Dataset:
        with cpu_threads(self.threads):
            return open_data(
                self._settings.data,
                names=self._names,
                split_seed=self._settings.split_seed,
                image_size=image_size,
                broken=self.recipe.broken,
                crop_pct=self.recipe.crop_pct,
            )


def _named(candidate: Job) -> ModelSpec | Baseline:
    return Baseline.read(candidate.spec) or ModelSpec.model_validate(candidate.spec)
