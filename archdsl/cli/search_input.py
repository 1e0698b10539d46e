"""What `archdsl search` was asked to search: a study, a plain model, or the embedded default."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from archdsl.cli.kinds import find_on, kind_of, own_documents
from archdsl.document.merge import merge_trees
from archdsl.document.messages import listed, nearest
from archdsl.document.problems import beside
from archdsl.document.settings import steps_of
from archdsl.document.shelves import find
from archdsl.document.text import read_draft
from archdsl.document.tree import Tree, tree_of
from archdsl.errors import Problem, StudyError
from archdsl.files import in_use
from archdsl.metrics import TRAINED, trained_metric, trained_metrics
from archdsl.plan.read import read_model
from archdsl.runners.profile import RunProfile
from archdsl.searching.around import base_name, neighbourhood_document, with_objectives
from archdsl.searching.read import check_study, lay_over
from archdsl.searching.study import Study
from archdsl.spec.model import ModelSpec

DEFAULT = "digits-sizes"
_ANOTHER = "name another: archdsl search NAME"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Arguments of `archdsl search` that shape the study."""

    what: str | None
    objectives: str | None
    trials: int | None
    hours: float | None = None
    seed: int | None
    data: str | None
    sets: list[str]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is to be searched.

    Args:
        tree: the study document, with every argument laid over it.
        folder: where its base is looked for first.
        message: what it was taken from, for the user.
        around: whether that is a plain model, and the study its neighbourhood.
    """

    tree: Tree
    folder: Path
    message: str
    around: bool


def resolve_study(asked: Asked, profile: RunProfile) -> Found:
    """The study that was asked for, or the one around a model.

    Raises:
        NameNotFoundError: nothing there of that name.
        DocumentError: a document that cannot be read.
        StudyError: arguments that do not go together.
    """
    path, message = _which(asked.what)
    kind = kind_of(path)
    of_text: tuple[Problem, ...] = ()
    if kind == "runner":
        raise StudyError(f"{path} is a run profile; name it with --runner and search a study")
    if kind == "recipe":
        raise StudyError(f"{path} is a recipe; name it in a study, as evaluate.top1.recipe")
    if kind == "study":
        draft = read_draft(path)
        tree, folder, of_text = draft.tree, path.parent, draft.problems
        if asked.data:
            written = tree.child("evaluate")
            named = written.value if written and isinstance(written.value, dict) else {}
            trained = trained_metrics(named) or TRAINED[:1]
            data = {"evaluate": {name: {"data": asked.data} for name in trained}}
            tree = merge_trees(tree, tree_of(data, source="--data"))
        settings = asked.sets
    else:
        of_model = [setting for setting in asked.sets if _is_of_models(setting)]
        settings = [setting for setting in asked.sets if setting not in of_model]
        tree, folder = _around(path, of_model, asked, profile)
        if asked.hours is not None:  # they end it, not the trials that nobody asked for
            tree = merge_trees(tree, tree_of({"budget": {"trials": None}}, source="--hours"))
    laid = lay_over(tree, settings, folder=folder)
    tree, of_text = laid.tree, (*of_text, *laid.problems)
    for name, amount in (("trials", asked.trials), ("hours", asked.hours)):
        if amount is not None:
            tree = merge_trees(tree, tree_of({"budget": {name: amount}}, source=f"--{name}"))
    if asked.seed is not None:
        tree = merge_trees(tree, tree_of({"sampler": {"seed": asked.seed}}, source="--seed"))
    if asked.objectives is not None:
        tree = with_objectives(tree, names_in(asked.objectives), source="--objective")
    if of_text:
        with beside(of_text):
            check_study(tree, folder=folder)
    return Found(tree=tree, folder=folder, message=message, around=kind == "model")


def _which(what: str | None) -> tuple[Path, str]:
    if what is not None:
        path = find_on(what, ("search", "specs"))
        return path, f"searching {path}"
    own = own_documents(Path())
    for kind, word in (("study", "study"), ("model", "model document")):
        if len(own[kind]) == 1:
            path = own[kind][0]
            return path, f"searching {path}, the only {word} here ({_ANOTHER})"
        if own[kind]:
            choices = listed([f"archdsl search {shlex.quote(str(path))}" for path in own[kind]])
            raise StudyError(
                f"here is more than one {word}; say which: {choices}; or search the embedded "
                f"study: archdsl search {DEFAULT}"
            )
    path = find(DEFAULT, "search")
    return path, f"searching the embedded study '{DEFAULT}' ({_ANOTHER})"


def _is_of_models(setting: str) -> bool:
    """Whether a setting is of a word (or a misspelt one) that models have and studies have not."""
    studies = set(Study.model_fields)
    models = set(ModelSpec.model_fields) - studies
    word = steps_of(setting)[0]
    return (nearest(word, studies | models) or word) in models


def _around(
    path: Path, settings: list[str], asked: Asked, profile: RunProfile
) -> tuple[Tree, Path]:
    """The neighbourhood of a plain model, with settings laid over it, as a study."""
    model = read_model(str(path), settings)
    document = neighbourhood_document(
        model,
        base=model.spec.document() if settings else base_name(path, Path()),
        data=_data(asked, profile) if _trains(asked) else None,
    )
    return tree_of(document, source=f"the neighbourhood of {path}"), Path()


def keep_values_apart(study: Study, profile: RunProfile) -> None:
    """Say that the files a study takes its values and images from are in use."""
    for settings in study.evaluate.given().values():
        table, data = getattr(settings, "table", None), getattr(settings, "data", "")
        kind, _, place = profile.data.get(data, data).partition(":")
        if table is not None:
            in_use(Path(table), f"the table {table}")
        elif kind in ("npz", "csv"):
            in_use(Path(place).expanduser(), f"the data {place}")


def _trains(asked: Asked) -> bool:
    return asked.objectives is None or trained_metric(names_in(asked.objectives)) is not None


def names_in(text: str) -> list[str]:
    """The words of an option such as `latency,top1`."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _data(asked: Asked, profile: RunProfile) -> str:
    if asked.data:
        return asked.data
    if len(profile.data) == 1:
        return next(iter(profile.data))
    known = f"one of the run profile's ({', '.join(profile.data)})" if profile.data else ""
    raise StudyError(
        "a model is searched on images; say which: --data folder:DIR, --data npz:FILE, "
        f"--data digits{', ' if known else ''}{known}, or write a study"
    )
