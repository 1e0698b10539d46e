"""What a study says about the quantities it evaluates, beside `Conditions`. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from archdsl.document.messages import one_of, sentence
from archdsl.document.shelves import names
from archdsl.errors import StudyError
from archdsl.measuring.conditions import CONDITIONS
from archdsl.metrics import TRAINED
from archdsl.spec.base import YOUNGER, StoredNode
from archdsl.spec.values import Pair
from archdsl.training.read import resolve_recipe
from archdsl.training.recipe import Recipe

Model = TypeVar("Model", bound=BaseModel)


class AccuracySettings(StoredNode):
    """How a candidate is trained for its accuracy; metrics with the same words share a training."""

    data: Annotated[str, Field(min_length=1)]
    """Name of a data set in the run profile, or a source such as `digits`."""
    recipe: str | Recipe
    """Name or path of a recipe, or its words."""
    epochs: Annotated[int, Field(ge=1)] | None = None
    """Passes over the train split; the recipe's own unless given."""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False, min_length=1)] = (
        0,
    )
    """One training each; the accuracy is their mean."""
    split_seed: Annotated[int, Field(ge=0)] = 0
    """Decides the splits that the data do not bring along."""
    image_size: Pair | None = None
    """What the pictures of a folder are brought to; not needed where all have one size."""
    init: Annotated[Annotated[str, Field(min_length=1)] | None, YOUNGER] = None
    """Weights that each training begins with, a file as `archdsl train --init` takes it: layers and
    widths are cut or repeated to the candidate's. A relative path starts at the current folder."""

    @field_validator("recipe")
    @classmethod
    def _is_there(cls, recipe: str | Recipe) -> str | Recipe:
        # Of a study, the words of a file have taken the place of its path.
        if isinstance(recipe, str) and recipe not in (known := names("recipes")):
            raise PydanticCustomError("recipe", "{found}", {"found": one_of(recipe, known)})
        return recipe

    @field_validator("seeds")
    @classmethod
    def _differ(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise PydanticCustomError("seeds", "a seed given twice gives the same training twice")
        return seeds

    def resolved_recipe(self) -> Recipe:
        """The recipe with the study's `epochs`.

        Raises:
            NameNotFoundError: no recipe of that name.
            DocumentError: its schedule does not fit into so few epochs.
        """
        recipe = resolve_recipe(self.recipe)
        if self.epochs is None:
            return recipe
        return resolve_recipe({**recipe.model_dump(), "epochs": self.epochs})


class TableSettings(StoredNode):
    """A quantity read from a file."""

    table: Annotated[str, Field(min_length=1)]
    """CSV file; a relative path starts at the current folder."""
    repeat: Annotated[int, Field(ge=0)] | None = None
    """Which of a candidate's rows, where the table has a column `repeat`; the one with 0."""


SETTINGS: Mapping[str, type[StoredNode]] = {
    **CONDITIONS,
    **dict.fromkeys(TRAINED, AccuracySettings),
}
"""Of each metric that a study may evaluate, how it is evaluated where no table knows it."""


def settings_of(model: type[Model], settings: Mapping[str, Any], where: str) -> Model:
    """`settings` as a `model`.

    Raises:
        StudyError: every problem found, each with its path under `where`.
    """
    try:
        return model.model_validate(dict(settings))
    except ValidationError as error:
        lines = [
            f"{'.'.join([where, *map(str, item['loc'])])}: {sentence(item)}"
            for item in error.errors(include_url=False)
        ]
    raise StudyError("\n".join(lines))
