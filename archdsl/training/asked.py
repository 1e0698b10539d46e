"""What a single training is asked for: all that decides it, but for the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from archdsl.compiler.baseline import baseline_macs, build_baseline
from archdsl.compiler.build import build, build_plan
from archdsl.compiler.weights.reading import State
from archdsl.compiler.weights.start import start_from, start_revision
from archdsl.identity import digest
from archdsl.plan.baseline import Baseline
from archdsl.plan.plan import Plan
from archdsl.spec.model import ModelSpec
from archdsl.training.bundle import read_start, weights_digest
from archdsl.training.data.dataset import Dataset, check_data
from archdsl.training.optimizer import check_schedule
from archdsl.training.preflight import check_fits
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.task import Task
from archdsl.training.teacher import teacher_of
from archdsl.version import __version__


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """What decides a training, but for the device.

    Args:
        spec: the document, or a baseline.
        plan: what it expands to; the same baseline.
        dataset: fits the document.
        recipe: how it is trained.
        seed: of the weights and of the training.
        split_seed: of the parts that the data do not bring along.
        init: file of the weights that it begins with; None begins with fresh ones.
    """

    spec: ModelSpec | Baseline
    plan: Plan | Baseline
    dataset: Dataset
    recipe: Recipe
    seed: int
    split_seed: int
    init: Path | None = None

    def network(self) -> nn.Module:
        """With weights drawn from the seed.

        Raises:
            ArchdslError: what the recipe asks of a baseline, it has not.
        """
        if isinstance(self.spec, Baseline):
            return build_baseline(self.spec, seed=self.seed, drop_path=self.recipe.drop_path)
        return build(self.spec, seed=self.seed)

    def weightless(self) -> nn.Module:
        """The same on the meta device where that is asked for, which not all of timm can be."""
        return self.network() if isinstance(self.plan, Baseline) else build_plan(self.plan)

    def check(self) -> None:
        """That a training is possible at all.

        Raises:
            DataError: the data do not fit the document.
            ArchdslError: a baseline takes no such images.
            DocumentError: the warm-up is longer than the training.
        """
        check_data(self.dataset, self.spec)
        if isinstance(self.spec, Baseline):
            baseline_macs(self.spec)  # refuses images that the model of timm's cannot take
        check_schedule(self.recipe, images=len(self.dataset.train))

    def needed_bytes(self, task: Task, device: torch.device) -> int:
        """Of memory, at least.

        Raises:
            NotEnoughMemoryError: there is less.
            ArchdslError: the teacher is damaged, or does not fit the data.
        """
        teacher_of(self.recipe, self.dataset, device)
        return check_fits(
            self.weightless,
            task=task,
            image_shape=self.plan.image,
            recipe=self.recipe,
            device=device,
        )

    def begun(self, say: Callable[[str], None]) -> nn.Module:
        """The network with the weights that it begins with, which `say` is told of.

        Raises:
            WeightsError: nothing of the file to begin with fits, or it is damaged.
        """
        network = self.network()
        if self.start is not None:
            start = start_from(network, self.start, classes=self.dataset.class_names)
            say(f"begins with {self.init}:\n{start}")
        return network

    @cached_property
    def start(self) -> State | None:
        """What that file holds.

        Raises:
            WeightsError: it cannot be read, or is damaged.
        """
        return None if self.init is None else read_start(self.init)

    @property
    def start_digest(self) -> str | None:
        """Of the weights that it begins with."""
        return None if self.start is None else weights_digest(self.start.tensors)

    @cached_property
    def _begun_with(self) -> str | None:
        """That digest, or one that says how they are made to fit, too."""
        if self.start is None:
            return None
        revision = start_revision(self.weightless(), self.start)
        return digest([self.start_digest, revision]) if revision else self.start_digest

    @property
    def key(self) -> str:
        """Names the training among all others."""
        words = ("arch_id", "recipe", "data", "split_seed", "seed", "init")
        record = self.record()
        return digest({word: record[word] for word in words})

    def record(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "archdsl": __version__,
            "arch_id": self.plan.arch_id,
            "document": self.spec.document(),
            "recipe": self.recipe.model_dump(mode="json"),
            "source": self.dataset.name,
            "data": self.dataset.digest,
            "split_seed": self.split_seed,
            "seed": self.seed,
            "init": self._begun_with,
        }
