"""A study around a plain model: its neighbourhood, searched on named data."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from archdsl.document.merge import merge_trees
from archdsl.document.messages import one_of
from archdsl.document.shelves import find, packaged
from archdsl.document.tree import Entry, Origin, Tree, tree_of
from archdsl.errors import StudyError
from archdsl.metrics import MEASURED, METRICS, TRAINED, trained_metric, trained_metrics
from archdsl.plan.read import Checked, check_model, read_model
from archdsl.searching.read import CheckedStudy, check_study
from archdsl.space.neighbourhood import neighbourhood
from archdsl.spec.model import ModelSpec

TRIALS = 24
LATENCY_BATCH = 8
LATENCY_THREADS = 1
"""Of the processors: beside others' load, several wait for the slowest of them."""


def neighbourhood_document(
    model: Checked, *, base: str | dict[str, Any], data: str | None
) -> dict[str, Any]:
    """A study document with `model` as its base.

    Args:
        model: the plain model.
        base: its name or path as the study will say it, or its document.
        data: source of images, or a name from the run profile; None to train nothing.
    """
    latency = {"device": "any", "batch": LATENCY_BATCH, "threads": LATENCY_THREADS}
    evaluate: dict[str, Any] = {"latency": latency}
    if data is not None:
        image_size = list(model.spec.image.size)
        evaluate[TRAINED[0]] = {"data": data, "recipe": "small-images", "image_size": image_size}
    return {
        "archdsl": 1,
        "kind": "study",
        "name": f"{model.spec.name}-neighbourhood",
        "base": base,
        "space": neighbourhood(model),
        "objectives": {name: METRICS[name].direction for name in evaluate},
        "evaluate": evaluate,
        "budget": {"trials": TRIALS},
        "sampler": {"type": "tpe", "seed": 0},
    }


def checked_study_around(
    spec: ModelSpec | str | Path, *, objectives: Sequence[str], data: str | None
) -> CheckedStudy:
    """The same, checked; aiming at the named objectives.

    Raises:
        NameNotFoundError: nothing there of that name.
        DocumentError: every problem of the document.
        StudyError: an objective that is not known, or none.
    """
    if isinstance(spec, ModelSpec):
        base: str | dict[str, Any] = spec.document()
        model, name = check_model(tree_of(base, source=spec.name)), spec.name
    else:
        path = find(str(spec), "specs")
        base, model, name = base_name(path, Path()), read_model(str(path)), str(path)
    document = neighbourhood_document(
        model, base=base, data=data if trained_metric(objectives) else None
    )
    tree = tree_of(document, source=f"the neighbourhood of {name}")
    return check_study(with_objectives(tree, objectives, source="objectives"), folder=Path())


def base_name(path: Path, folder: Path) -> str:
    """What a study in `folder` calls a model document: a shelf's by its name, others by path."""
    if path.parent == packaged("specs"):
        return path.stem
    return os.path.relpath(path, folder)


def with_objectives(tree: Tree, names: Sequence[str], *, source: str) -> Tree:
    """The study aiming at the named objectives only; other measurements are left out.

    Args:
        tree: a study document.
        names: of the objectives, in their order.
        source: what messages call the place where they were named.

    Raises:
        StudyError: an objective that is not known, or none.
    """
    unknown = [one_of(name, METRICS) for name in names if name not in METRICS]
    if unknown or not names:
        known = "; ".join(f"{name}: {each.meaning}" for name, each in METRICS.items())
        found = "; ".join(unknown) or "no objective given"
        raise StudyError(f"{source} {','.join(names)}: {found}\n  known: {known}")
    written = tree.child("objectives")
    directions = written.plain() if written and isinstance(written.value, dict) else {}
    chosen = {name: directions.get(name, METRICS[name].direction) for name in names}
    entries = dict(tree.value) if isinstance(tree.value, dict) else {}
    entries["objectives"] = Entry(
        key_origin=Origin(source=source), tree=tree_of(chosen, source=source)
    )
    tree = _with_reference(replace(tree, value=entries), names, source)
    if trained_metric(names) is None:
        tree = merge_trees(tree, tree_of({"stopping": None}, source=source))
    tree = _with_trainings(tree, names, source)
    constraints = tree.child("constraints")
    bounded = re.findall(r"\w+", str(constraints.plain())) if constraints else []
    dropped = [name for name in MEASURED if name not in names and name not in bounded]
    return merge_trees(tree, tree_of({"evaluate": dict.fromkeys(dropped)}, source=source))


def _with_trainings(tree: Tree, names: Sequence[str], source: str) -> Tree:
    """Each trained one among the objectives measured of the training that the study has anyway."""
    written = tree.child("evaluate")
    evaluate = written.plain() if written and isinstance(written.value, dict) else {}
    known = [evaluate[name] for name in TRAINED if evaluate.get(name)]
    missing = [name for name in trained_metrics(names) if not evaluate.get(name)]
    if not known or not missing:
        return tree
    return merge_trees(tree, tree_of({"evaluate": dict.fromkeys(missing, known[0])}, source=source))


def _with_reference(tree: Tree, names: Sequence[str], source: str) -> Tree:
    """The reference of the objectives that are left; none where it knows not all of them."""
    written = tree.child("reference")
    point = written.plain() if written and isinstance(written.value, dict) else {}
    if not point:
        return tree
    known = all(name in point for name in names)
    left = {name: None for name in point if name not in names} if known else None
    return merge_trees(tree, tree_of({"reference": left}, source=source))
