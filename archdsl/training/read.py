"""The door for recipes: a name, a path or words in, a `Recipe` out. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from archdsl.document.merge import without_nulls
from archdsl.document.messages import sentence
from archdsl.document.problems import beside
from archdsl.document.settings import lay_all
from archdsl.document.shelves import find
from archdsl.document.text import read_draft
from archdsl.document.validate import validate
from archdsl.errors import DocumentError, NameNotFoundError, Problem, WeightsError
from archdsl.training.recipe import Recipe, RecipeDocument


def read_recipe(name: str, sets: Sequence[str] = ()) -> Recipe:
    """Read a recipe and lay settings over it.

    Raises:
        NameNotFoundError: nothing there of that name.
        DocumentError: every problem found.
    """
    return read_recipe_document(name, sets).words()


def read_recipe_document(name: str, sets: Sequence[str] = ()) -> RecipeDocument:
    """The same with its name; raises the same."""
    draft = read_draft(find(name, "recipes"))
    laid = lay_all(draft.tree, sets)
    with beside((*draft.problems, *laid.problems)):
        return validate(without_nulls(laid.tree), RecipeDocument)


def resolve_recipe(name_or_mapping: str | Mapping[str, Any] | Recipe) -> Recipe:
    """The recipe of a name or path, or of words (the others keep their defaults).

    Raises:
        NameNotFoundError: no recipe of that name.
        DocumentError: words that are no recipe, or a teacher that is not there.
    """
    if isinstance(name_or_mapping, Recipe):
        return _with_teacher(name_or_mapping.in_words_of_today())
    if isinstance(name_or_mapping, str):
        return _with_teacher(read_recipe(name_or_mapping).in_words_of_today())
    try:
        found = Recipe.model_validate(dict(name_or_mapping)).in_words_of_today()
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
    return _with_teacher(found)


def _with_teacher(recipe: Recipe) -> Recipe:
    """The recipe with the digest of its teacher's weights.

    Raises:
        DocumentError: there is no such bundle, or there are no such weights of timm's.
    """
    if recipe.teacher is None or recipe.teacher_weights is not None:
        return recipe
    try:
        weights = _teacher_weights(recipe)
    except (NameNotFoundError, WeightsError) as error:
        message = str(error)
        problem = Problem(source="recipe", line=0, column=0, path="teacher", message=message)
        raise DocumentError([problem]) from None
    return recipe.model_copy(update={"teacher_weights": weights})


def _teacher_weights(recipe: Recipe) -> str:
    """Their digest, which a bundle says of itself; a model of timm's is read, which takes torch."""
    if recipe.timm_teacher is not None:
        from archdsl.training.timm_teacher import trained_timm_model

        return trained_timm_model(recipe.timm_teacher).weights
    path = Path(str(recipe.teacher)).expanduser()
    file = path / "bundle.safetensors" if path.is_dir() else path
    try:
        with file.open("rb") as stream:
            header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        return str(json.loads(header["__metadata__"]["archdsl"])["weights"])
    except (OSError, ValueError, KeyError, TypeError):
        raise WeightsError(
            f"{file} is no bundle; name what archdsl train left, or its folder"
        ) from None
