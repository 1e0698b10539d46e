"""How to train: the recipes that studies name or write inline.

Imports no torch: the schema of studies holds a `Recipe`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from archdsl.document.messages import one_of, sentence
from archdsl.errors import DocumentError, NameNotFoundError, Problem
from archdsl.spec.base import StoredNode

Augmentation = Literal["none", "shift", "flip_shift"]


class Recipe(StoredNode):
    """Supervised classification with AdamW; the defaults suit small images."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 30
    """Passes over the train split."""

    batch: Annotated[int, Field(ge=1, le=65_536)] = 64
    """Images per step, at most: the images of an epoch are dealt out evenly over its steps."""

    lr: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] = 3e-3
    """Learning rate at the end of the warm-up."""

    min_lr: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 1e-5
    """Learning rate that the cosine falls to at the end; no more than `lr`."""

    warmup_epochs: Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)] = 0.5
    """Epochs, or part of one, over which the learning rate rises linearly; under `epochs`."""

    weight_decay: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 0.05
    """Decoupled weight decay, a factor of the learning rate; biases, norms and what the model
    exempts do not decay."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.1
    """Probability taken from the true class and spread over all classes."""

    clip_grad: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 1.0
    """Largest L2 norm of all gradients together; null leaves them as they are."""

    augment: Augmentation = "none"
    """What happens to train images: `shift` moves each by up to 1/8 of its side (1 pixel at
    least), repeating the border; `flip_shift` also mirrors every second one left to right."""

    amp: bool = True
    """Train under autocast to bfloat16 where the training device is CUDA; validation is float32."""

    @model_validator(mode="after")
    def schedule_is_possible(self) -> Self:
        if self.min_lr > self.lr:
            raise ValueError(f"min_lr {self.min_lr} is above lr {self.lr}")
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs {self.warmup_epochs} must stay under epochs {self.epochs}"
            )
        return self


RECIPES: Mapping[str, Recipe] = MappingProxyType({"small-images": Recipe()})


def resolve_recipe(name_or_mapping: str | Mapping[str, Any] | Recipe) -> Recipe:
    """The recipe of a name, or of the words written inline (the others keep their defaults).

    Raises:
        NameNotFoundError: no recipe of that name.
        DocumentError: words that are no recipe.
    """
    if isinstance(name_or_mapping, Recipe):
        return name_or_mapping
    if isinstance(name_or_mapping, str):
        if name_or_mapping not in RECIPES:
            raise NameNotFoundError(f"recipe {one_of(name_or_mapping, RECIPES)}")
        return RECIPES[name_or_mapping]
    try:
        return Recipe.model_validate(dict(name_or_mapping))
    except ValidationError as error:
        raise DocumentError(
            [
                Problem(
                    source="recipe",
                    line=0,
                    column=0,
                    path=".".join(str(part) for part in problem["loc"]),
                    message=sentence(problem),
                )
                for problem in error.errors(include_url=False)
            ]
        ) from error
