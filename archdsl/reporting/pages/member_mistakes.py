"""What the members of a front get wrong: their networks asked once more of the images that their
objective was measured on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from archdsl.compiler.build import build
from archdsl.errors import DataError, WeightsError
from archdsl.records import Measurement
from archdsl.reporting.pages.findings import Member, MemberMistakes
from archdsl.reporting.pages.mistakes_page import pictures_of
from archdsl.runners.profile import RunProfile
from archdsl.spec.model import ModelSpec
from archdsl.store.rows import StudyRow
from archdsl.store.weights import PLACE
from archdsl.training.data.dataset import Dataset
from archdsl.training.data.reading import Reading
from archdsl.training.data.source import open_data
from archdsl.training.device import choose_device, cpu_threads
from archdsl.training.read import resolve_recipe
from archdsl.training.recipe import Recipe
from archdsl.training.scoring import score
from archdsl.training.trained_weights import load_trained_weights
from archdsl.usable_cores import usable_cores

PART = "validation"
"""Of the data: a search chooses by it, and what it has chosen alone is scored on test images."""
MOST_SHOWN = 8
LARGEST = 64
"""Side of a picture in pixels: a page holds many."""


class MistakesOf:
    """Scores the members of one study, each with the weights of its first training.

    Args:
        study: its row in the store.
        folder: of the database; None of a server.
        profile: says where the data are, and on which device.
    """

    def __init__(self, *, study: StudyRow, folder: Path | None, profile: RunProfile) -> None:
        self._study = study
        self._folder = folder
        self._names = profile.data
        self._device = choose_device(profile.training.device, profile=profile.name)
        self._opened: dict[tuple[int, int], Dataset] = {}

    def __call__(self, member: Member) -> Member:
        """The member, with its mistakes or with why there are none to show.

        Raises:
            DataError: the data cannot be opened, or are not those that it was trained on.
        """
        trained = [each for each in member.row.measured.values() if PLACE in each.detail]
        if not trained:
            return replace(member, mistakes="no value of it comes from a training")
        spec = ModelSpec.model_validate(member.row.spec)
        network = build(spec, seed=0)
        try:
            load_trained_weights(network, trained[0], folder=self._folder)
        except WeightsError as error:
            return replace(member, mistakes=str(error))
        protocol = trained[0].protocol
        recipe = resolve_recipe(protocol["recipe"])
        with cpu_threads(usable_cores()):
            dataset = self._dataset(trained[0], recipe, spec.image.size)
            found = score(
                network,
                Reading.of(dataset),
                dataset,
                [PART],
                device=self._device,
                batch=recipe.images_at_once,
                mistakes=MOST_SHOWN,
            )
        shown = MemberMistakes(
            scored_on=f"{dataset.name} ({PART})",
            seed=protocol["seeds"][0],
            images=found.images,
            wrong=found.images - found.correct,
            pictures=pictures_of(found.mistakes, dataset.class_names, largest=LARGEST),
        )
        return replace(member, mistakes=shown)

    def _dataset(self, behind: Measurement, recipe: Recipe, size: tuple[int, int]) -> Dataset:
        if size not in self._opened:
            source = self._study.document["evaluate"][behind.quantity]["data"]
            dataset = open_data(
                source,
                names=self._names,
                split_seed=behind.protocol["split_seed"],
                image_size=size,
                broken=recipe.broken,
                crop_pct=recipe.crop_pct,
            )
            if dataset.digest != behind.protocol["data"]:
                raise DataError(
                    f"{source} holds other images, labels or parts than when "
                    f"'{self._study.name}' was searched; bring them back to see mistakes of its "
                    "members"
                )
            self._opened[size] = dataset
        return self._opened[size]
