"""The door for study documents: a name or path in, a checked study with its space out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archdsl.document.merge import merge_trees, without_nulls
from archdsl.document.problems import beside
from archdsl.document.settings import Laid, lay_all, steps_of
from archdsl.document.shelves import Shelf, find, packaged
from archdsl.document.text import read_draft, read_file
from archdsl.document.tree import Tree, tree_of
from archdsl.document.validate import judge, located, problem, refuse_newer_version
from archdsl.errors import DocumentError, NameNotFoundError, Problem
from archdsl.measuring.settings import AccuracySettings, TableSettings
from archdsl.metrics import MEASURED, TRAINED, trained_metric, trained_metrics
from archdsl.plan.facts import facts
from archdsl.searching.constraints import broken, never_kept
from archdsl.searching.stopping import AshaStopping, NoStopping
from archdsl.searching.study import Study
from archdsl.space import holes
from archdsl.space.holes import Fixed, Hole, Part
from archdsl.space.option_check import check_options
from archdsl.space.space import Space
from archdsl.training.read import read_recipe


@dataclass(frozen=True, kw_only=True)
class CheckedStudy:
    """A study whose every option makes a valid model, as far as that was checked.

    Args:
        study: its document.
        space: its models.
        unchecked: how many options there are too many to check before a search.
    """

    study: Study
    space: Space
    unchecked: int = 0

    def warnings(self) -> list[str]:
        """What may surprise whoever searches it, each in a line."""
        found = [*never_kept(self.study.parsed_constraints()), self._broken_by_base()]
        if self.unchecked:
            found.append(
                f"{self.unchecked} options are too many to check before a search, which passes "
                "over those that make no model"
            )
        return [each for each in found if each]

    def _broken_by_base(self) -> str | None:
        """What is said of a base whose facts break constraints; None of one that keeps them."""
        base = self.space.base_candidate()
        found = base and broken(self.study.fact_constraints(), facts(base.plan))
        if not found:
            return None
        return f"the base breaks a constraint and will be on no front: {found[0]}"

    def __repr__(self) -> str:
        objectives, budget = ", ".join(self.study.objectives), self.study.budget
        return f"<CheckedStudy {self.study.name!r}: {objectives}; budget {budget}; {self.space}>"


def read_study(name: str, sets: Sequence[str] = ()) -> CheckedStudy:
    """Read a study document, lay settings over it, and check every option of its space.

    Raises:
        NameNotFoundError: nothing there of that name.
        DocumentError: every problem found, each with the file it is in.
    """
    path = find(name, "search")
    draft = read_draft(path)
    laid = lay_over(draft.tree, sets, folder=path.parent)
    with beside((*draft.problems, *laid.problems)):
        return check_study(laid.tree, folder=path.parent)


def lay_over(tree: Tree, sets: Sequence[str], *, folder: Path) -> Laid:
    """Lay settings over a study in `folder`; those of single words of a recipe that it names
    over the words of that."""
    changed = {tuple(steps_of(each)[:-1]) for each in sets}
    metrics = [metric for metric in TRAINED if ("evaluate", metric, "recipe") in changed]
    problems: list[Problem] = []
    tree = _with_recipes(tree, folder, problems, metrics=metrics, of_shelf=True)
    laid = lay_all(tree, sets)
    return replace(laid, problems=(*problems, *laid.problems))


def check_study(tree: Tree, *, folder: Path) -> CheckedStudy:
    """Check a study that is already a tree; in `folder` its base and recipes are looked for first.

    Raises:
        DocumentError: every problem found.
    """
    refuse_newer_version(tree)
    of_recipes: list[Problem] = []
    tree = _with_recipes(tree, folder, of_recipes)
    known = _without_nulls(tree)
    study, flaws = judge(known, Study, written=tree)
    problems = [*located(known, flaws), *of_recipes]
    if any(flaw.path == ("kind",) for flaw in flaws):
        raise DocumentError(problems)  # its words are those of another kind of document
    refused = {flaw.path[:1] for flaw in flaws}
    if study:
        problems += _effects(tree, study) + _stopping(tree, study) + _baselines(tree, study)
    space = _space(tree, folder, problems, refused)
    found = check_options(space) if space else None
    problems += found.problems if found else ()
    if problems or study is None or space is None or found is None:
        raise DocumentError(_in_order(problems))
    return CheckedStudy(study=study, space=space, unchecked=found.unchecked)


def _space(
    tree: Tree, folder: Path, problems: list[Problem], refused: set[tuple[str | int, ...]]
) -> Space | None:
    """The space of a study, its options not checked yet; adds to `problems`.

    Args:
        refused: words whose values are known to be wrong, and of which nothing more is said.
    """
    found: list[Problem] = []
    bases = _bases(tree, folder, found) if ("base",) not in refused else {}
    overlay, wrong_holes = _overlay(tree)
    if ("space",) not in refused:
        found += wrong_holes
    if not refused & {("base",), ("space",)} and not tree.child("base") and not tree.child("space"):
        found.append(problem(tree, ("base",), "missing: a study has a base, a space, or both"))
    problems += found
    if found or refused & {("base",), ("space",)}:
        return None
    return Space(bases=bases, overlay=overlay)


def _in_order(problems: list[Problem]) -> list[Problem]:
    """Those of one document as they stand in it; documents in the order they were found wrong."""
    sources = list(dict.fromkeys(each.source for each in problems))
    return sorted(problems, key=lambda p: (sources.index(p.source), p.line, p.column))


def _without_nulls(tree: Tree) -> Tree:
    """Nulls delete words of the study, but a null inside the space deletes a word of the base."""
    cleaned = without_nulls(tree)
    space = tree.value.get("space") if isinstance(tree.value, Mapping) else None
    if space is None or space.tree.value is None or not isinstance(cleaned.value, Mapping):
        return cleaned
    return replace(cleaned, value={**cleaned.value, "space": space})


def _effects(tree: Tree, study: Study) -> list[Problem]:
    """Objectives without a way to measure them, and measurements nobody asked for."""
    bounded = {constraint.measured for constraint in study.parsed_constraints()}
    problems = []
    for name in MEASURED:
        wanted = name in study.objectives or name in bounded
        given = study.evaluate.of(name) is not None
        if wanted and not given:
            message = f"missing: {name} is asked for, so the study says how to measure it"
            problems.append(problem(tree, ("evaluate", name), message))
        if given and not wanted:
            message = "has no effect: neither an objective nor a constraint uses it"
            problems.append(problem(tree, ("evaluate", name), message, key=True))
    return problems + _one_training(tree, study)


def _one_training(tree: Tree, study: Study) -> list[Problem]:
    """Trained metrics that would take a training each: one is to serve them all."""
    trained = {
        name: settings
        for name in trained_metrics(study.evaluate.given())
        if isinstance(settings := study.evaluate.of(name), AccuracySettings)
    }
    first, *others = trained or [""]
    return [
        problem(
            tree,
            ("evaluate", name),
            f"is of another training than {first}; one serves both: give both the same words",
            key=True,
        )
        for name in others
        if trained[name] != trained[first]
    ]


def _stopping(tree: Tree, study: Study) -> list[Problem]:
    """A rule that could never stop anything, or cannot rank what is asked for."""
    rule, metric = study.stopping, trained_metric(study.evaluate.given()) or TRAINED[0]
    if isinstance(rule, NoStopping):
        return []
    if study.objectives.get(metric) != "maximize":
        message = f"has no effect: {metric} is not maximised"
    elif not isinstance(study.evaluate.of(metric), AccuracySettings):
        message = f"has no effect: a table tells nothing of {metric} on the way"
    elif isinstance(rule, AshaStopping) and len(study.objectives) > 1:
        others = ", ".join(name for name in study.objectives if name != metric)
        message = f"asha ranks {metric} alone, and {others} is an objective, too; use type: front"
    else:
        return []
    return [problem(tree, ("stopping",), message, key=True)]


def _baselines(tree: Tree, study: Study) -> list[Problem]:
    """Models of timm's, of which tables know nothing; their weights, where nothing is trained."""
    given = study.evaluate.given()
    tables = [name for name in given if isinstance(given[name], TableSettings)]
    message = f"have no effect: the table of {' and '.join(tables)} knows nothing of them"
    if study.baselines and tables:
        return [problem(tree, ("baselines",), message, key=True)]
    idle = "has no effect: nothing is trained"
    return [
        problem(tree, ("baselines", place, "init"), idle, key=True)
        for place, each in enumerate(study.baselines)
        if not isinstance(each, str) and trained_metric(given) is None
    ]


def _bases(tree: Tree, folder: Path, problems: list[Problem]) -> dict[str, Tree]:
    written = tree.child("base")
    if written is None or written.value is None:
        return {}
    part, found = holes.parse(written)
    problems += [problem(tree, ("base",), each.message) for each in found]
    options: list[tuple[str, Part]] = []
    if isinstance(part, Hole):
        options = [
            (str(label), option) for label, option in zip(part.labels, part.options, strict=True)
        ]
    else:
        named = part.tree.child("name") or part.tree
        options = [(str(named.plain()), part)]
    bases = {}
    for label, option in options:
        try:
            bases[label] = without_nulls(_base(option, folder))
        except NameNotFoundError as error:
            problems.append(problem(tree, ("base",), str(error)))
        except DocumentError as error:
            problems += error.problems
    return bases


def _base(option: Part, folder: Path) -> Tree:
    """The document of a base: found by its name, or written in place.

    Raises:
        NameNotFoundError: nothing there of that name, or no name.
        DocumentError: the document cannot be read.
    """
    if isinstance(option, Fixed) and isinstance(option.tree.value, str):
        return read_file(find_base(option.tree.value, folder))
    if isinstance(option, Fixed) and is_document(option.tree.plain()):
        return option.tree
    raise NameNotFoundError(
        "a base is the name or path of a model document, or the document itself without holes"
    )


def is_document(base: object) -> bool:
    """Whether what a study names as its base is a model document in place."""
    return isinstance(base, Mapping) and "archdsl" in base


def find_base(name: str, folder: Path) -> Path:
    """The model document a study in `folder` calls `name`.

    Raises:
        NameNotFoundError: nothing there of that name.
    """
    return _find_near(name, folder, "specs")


def _find_near(name: str, folder: Path, shelf: Shelf) -> Path:
    """What a study in `folder` calls `name`; beside it first: they travel together."""
    for near in (folder / name, folder / f"{name}.yaml", folder / f"{name}.yml"):
        if near.is_file():
            return near
    return find(name, shelf)


def _with_recipes(
    tree: Tree,
    folder: Path,
    problems: list[Problem],
    *,
    metrics: Sequence[str] = TRAINED,
    of_shelf: bool = False,
) -> Tree:
    """The study with the words of recipes that lie in files in place of their names: a file may
    change, and a machine may not have it. Those of the shelf stay unless they are asked for. Adds
    to `problems`."""
    for metric in metrics:
        path = ("evaluate", metric, "recipe")
        written = tree.at(path)
        if written is None or not isinstance(written.value, str):
            continue
        words: dict[str, Any] = {}  # of a recipe with problems of its own, nothing more is said
        try:
            found = _find_near(written.value, folder, "recipes")
            if not of_shelf and found.resolve().parent == packaged("recipes").resolve():
                continue
            words = read_recipe(str(found)).model_dump(mode="json", exclude_none=True)
        except NameNotFoundError as error:
            problems.append(problem(tree, path, str(error)))
        except DocumentError as error:
            problems += error.problems
        in_place = tree_of({"evaluate": {metric: {"recipe": words}}}, source=written.origin.source)
        tree = merge_trees(tree, in_place)
    return tree


def _overlay(tree: Tree) -> tuple[Part, list[Problem]]:
    written = tree.child("space")
    if written is None or written.value is None:
        written = Tree(value={}, origin=tree.origin)
    part, found = holes.parse(written)
    return part, [
        replace(each, path=f"space.{each.path}" if each.path else "space") for each in found
    ]
