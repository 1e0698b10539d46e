"""How to train: what recipes can say. Imports no torch: the schema of studies holds a `Recipe`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from archdsl.spec.base import StoredNode
from archdsl.spec.values import Name

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

    clip_grad: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = 1.0
    """Largest L2 norm of all gradients together; 0 leaves them as they are."""

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


class RecipeDocument(Recipe):
    """A recipe on the shelf `recipes/`, or in a file of one's own."""

    archdsl: Literal[1]
    """Version of the language."""
    kind: Literal["recipe"]
    name: Name
    """Free text."""

    def words(self) -> Recipe:
        """What it says of trainings, which is all that is digested and stored."""
        return Recipe(**{word: getattr(self, word) for word in Recipe.model_fields})
