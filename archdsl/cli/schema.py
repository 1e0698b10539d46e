"""`archdsl schema`: JSON Schema of each kind of document, for editors."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import Debug, Json
from archdsl.cli.printing import print_json

EXAMPLE = "Example: archdsl schema model > model.schema.json"


class Kind(StrEnum):
    """Kinds of documents."""

    MODEL = "model"
    STUDY = "study"
    RECIPE = "recipe"
    RUNNER = "runner"


@handled
def command(
    kind: Annotated[Kind, typer.Argument(help="Kind of document.")],
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Print the JSON Schema of a kind of document; it is JSON with or without --json."""
    print_json(schema(kind))


def schema(kind: Kind) -> dict[str, Any]:
    """The JSON Schema of a kind of document."""
    if kind is Kind.MODEL:
        from archdsl.spec.schema import model_schema

        return model_schema()
    if kind is Kind.STUDY:
        from archdsl.searching.schema import study_schema

        return study_schema()
    from archdsl.spec.schema import DIALECT

    if kind is Kind.RECIPE:
        from archdsl.training.recipe import RecipeDocument

        return {"$schema": DIALECT, **RecipeDocument.model_json_schema()}
    from archdsl.runners.profile import profile_schema

    return {"$schema": DIALECT, **profile_schema()}
