"""The trained network that a recipe's teacher is: asked of the very images that are trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from archdsl.errors import WeightsError
from archdsl.training.bundle import load_bundle
from archdsl.training.data.dataset import Dataset
from archdsl.training.recipe import Recipe
from archdsl.training.scoring import class_map, refuse_other_images
from archdsl.training.timm_teacher import trained_timm_model

Teacher = Callable[[Tensor], Tensor]
"""Takes normalised images to logits of the data's classes."""


def teacher_of(recipe: Recipe, dataset: Dataset, device: torch.device) -> Teacher | None:
    """The teacher of a recipe, on a device; None where it has none.

    Raises:
        WeightsError: its weights are not there, or are others than they were.
        DataError: it knows other classes than the data, or takes other images.
    """
    if recipe.teacher is None:
        return None
    of_timm = recipe.timm_teacher
    found = (
        load_bundle(Path(str(recipe.teacher))) if of_timm is None else trained_timm_model(of_timm)
    )
    named = f"the teacher {recipe.teacher if of_timm is None else of_timm.model}"
    if found.weights != recipe.teacher_weights:
        raise WeightsError(
            f"{named} holds other weights than when this training was asked for; bring them back, "
            "or ask for another training"
        )
    reading = found.reading
    labels = torch.tensor(class_map(reading, dataset, whose=named), device=device)
    refuse_other_images(reading, dataset, whose=named)
    network = found.network.to(device).eval().requires_grad_(False)
    channels, given = reading.channels, dataset.normalisation
    taken = reading.normalisation

    def logits(images: Tensor) -> Tensor:
        if given != taken:
            levels = given.levels(images).expand(-1, channels, -1, -1)
            images = taken.apply(levels.clone())
        with torch.no_grad():
            found: Tensor = network(images)
        return found[:, labels]

    return logits
