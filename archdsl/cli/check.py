"""`archdsl check`: is a document whole?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from archdsl.cli.handling import handled
from archdsl.cli.kinds import find_on, kind_of, own_paths
from archdsl.cli.options import Debug, Json, Sets
from archdsl.cli.printing import billions, millions, print_json, put, say
from archdsl.document.messages import counted
from archdsl.document.shelves import SHELVES, documents, packaged
from archdsl.errors import ArchdslError, DocumentError

EXAMPLE = "Example: archdsl check vittm-b-28-28 my-model.yaml --json"


@handled
def command(
    documents: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DOC]...",
            help="Files or names; if omitted those of this folder, or without any the shelves.",
        ),
    ] = None,
    shelves: Annotated[
        bool, typer.Option("--shelves", help="All documents of the shelves, too.")
    ] = False,
    sets: Sets = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Check models, studies, recipes and run profiles, and report every problem."""
    names = [*(documents or []), *(_all_documents() if shelves else [])] or _of_this_folder()
    results = [_checked(name, sets or []) for name in names]
    failed = [result for result in results if not result["ok"]]
    if as_json:
        print_json({"documents": results})
    else:
        for result in results:
            if result["ok"]:
                put(f"{result['source']}: ok  {result['summary']}")
        for result in failed:
            say(result["message"])
    if failed:
        raise typer.Exit(2)


def _of_this_folder() -> list[str]:
    own = [str(path) for path in own_paths(Path())]
    if own:
        say("checking the documents of this folder; archdsl check --shelves checks the shelves")
    return own or _all_documents()


def _all_documents() -> list[str]:
    return [str(path) for shelf in SHELVES for path in documents(packaged(shelf))]


def _checked(name: str, sets: list[str]) -> dict[str, Any]:
    try:
        path = find_on(name, SHELVES)
        kind, summary = summarise(path, sets)
    except ArchdslError as error:
        problems = error.problems if isinstance(error, DocumentError) else ()
        return {
            "source": name,
            "ok": False,
            "message": str(error),
            "problems": [vars(each) for each in problems],
        }
    return {"source": str(path), "ok": True, "kind": kind, "summary": summary, "problems": []}


def summarise(path: Path, sets: list[str]) -> tuple[str, str]:
    """The kind of a document and one line about it.

    Raises:
        DocumentError: every problem found.
    """
    kind = kind_of(path)
    if kind == "study":
        from archdsl.searching.read import read_study

        checked = read_study(str(path), sets)
        holes = sum(1 for _ in checked.space.holes())
        return kind, (
            f"study '{checked.study.name}': {counted(holes, 'hole')}, "
            f"{counted(checked.space.size, 'combination')}, {checked.study.budget}"
            + "".join(f"; {w}" for w in checked.warnings())
        )
    if kind == "recipe":
        from archdsl.training.read import read_recipe_document

        recipe = read_recipe_document(str(path), sets)
        epochs = counted(recipe.epochs, "epoch")
        return kind, f"recipe '{recipe.name}': {epochs} in batches of {recipe.batch}"
    if kind == "runner":
        from archdsl.runners.read import read_profile

        profile = read_profile(str(path), sets)
        return kind, f"run profile '{profile.name}': {profile.executor}"
    from archdsl.plan.facts import facts
    from archdsl.plan.influence import influence
    from archdsl.plan.read import read_model

    model = read_model(str(path), sets)
    known = facts(model.plan)
    tokens = " + ".join(str(stream.tokens) for stream in model.plan.streams.values())
    return "model", (
        f"model '{model.spec.name}': {tokens} tokens, {millions(known['params'])} parameters, "
        f"{billions(known['macs'])} multiply-adds (LayerNorms at 5 an element)"
        + "".join(f"; {said}" for said in influence(model.plan).sentences())
    )
