"""A front's members trained in full: what `archdsl confirm` and `archdsl.confirm` share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from archdsl.analysis.dominance import dominates, losses, nondominated
from archdsl.analysis.statistics import mean_interval
from archdsl.api.run_training import Nobody, run_training
from archdsl.api.sources import DATA, DEFAULT_DB, NAME, RUNNER, Document, profile_of
from archdsl.arguments import arguments
from archdsl.arguments.kinds import DB, instance
from archdsl.errors import StudyError
from archdsl.metrics import METRICS, TRAINED, on_test_images, trained_metric
from archdsl.plan.baseline import Baseline
from archdsl.spec.model import ModelSpec
from archdsl.store.rows import Value

if TYPE_CHECKING:
    from archdsl.reporting.front import CompleteTrial, StudyResults
    from archdsl.training.watch import Watch

DEFAULT_RECIPE = "small-images"


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """A member of a front, or a baseline of its study, as a search found it and trained in full.

    Args:
        trial: its number; None of a baseline.
        baseline: `timm:NAME`; empty of a member.
        metric: of the training, such as `top1`.
        found: its value in the search, that chose it; None of a baseline that it did not measure.
        confirmed: mean of the trainings on the same validation images, with Student's 95 % interval
            over the seeds; of one training with the interval over the images.
        tested: the same on test images; None where there are none.
        by_seed: seed to the value on validation images.
        bundles: seed to the folder of the trained network.
        values: the other objectives, as the search measured them.
        on_front: whether no other member is better in everything, now that all are trained in full;
            baselines keep none from it.
        same_images: whether the search found its value on the same images, not in a table.
    """

    trial: int | None
    metric: str
    found: Value | None
    confirmed: Value
    tested: Value | None
    by_seed: Mapping[int, float]
    bundles: Mapping[int, Path]
    values: Mapping[str, float]
    on_front: bool
    same_images: bool
    baseline: str = ""

    @property
    def change(self) -> float | None:
        """From what the search found to what was confirmed: below 0 where it shrank."""
        return None if self.found is None else self.confirmed.value - self.found.value


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """What is to be trained.

    Args:
        front: of the study.
        metric: that the study trains for.
        data: the study's source of images.
        split_seed: the study's.
        recipe: a name, or words.
        seeds: none of those that the search trained with.
        init: the study's weights to begin with.
        members: of the front.
        baselines: of the study.
    """

    front: StudyResults
    metric: str
    data: str
    split_seed: int
    recipe: str | Mapping[str, Any]
    seeds: Sequence[int]
    init: Path | None
    members: Sequence[CompleteTrial]
    baselines: Sequence[Baseline]


def plan_of(
    front: StudyResults,
    *,
    recipe: str | Mapping[str, Any] | None,
    data: str | None,
    seeds: int,
) -> Confirmation:
    """What it takes to confirm a front.

    Args:
        front: of a study.
        recipe: the study's own unless given, without the study's own number of epochs.
        data: the study's own unless given.
        seeds: how many trainings of each member.

    Raises:
        StudyError: the study has no accuracies, says not what to train on, or its front is empty.
    """
    study, evaluate = front.study, front.study.document["evaluate"]
    metric = trained_metric(evaluate)
    if metric is None:
        raise StudyError(
            f"the study '{study.name}' is about no metric of a training ({', '.join(TRAINED)}), so "
            "there is nothing to confirm; train its members with archdsl train"
        )
    if not front.members:
        raise StudyError(f"no trial of '{study.name}' is complete, so there is nothing to confirm")
    settings = evaluate[metric]
    if data is None and "data" not in settings:
        raise StudyError(
            f"the study '{study.name}' has its {metric} from a table; say what to train on, such "
            "as --data folder:DIR"
        )
    documents: Sequence[Mapping[str, Any]] = study.document.get("baselines", ())
    first = max(settings.get("seeds", (0,))) + 1
    return Confirmation(
        front=front,
        metric=metric,
        data=data or settings["data"],
        split_seed=settings.get("split_seed", 0),
        recipe=recipe or settings.get("recipe", DEFAULT_RECIPE),
        seeds=range(first, first + seeds),
        init=Path(settings["init"]) if "init" in settings else None,
        members=front.members,
        baselines=[each for known in documents if (each := Baseline.read(known))],
    )


Watching = Callable[[str, int, Path], AbstractContextManager["Watch"]]
"""Opens who looks on while a trial or a baseline is trained with a seed into a folder."""
_Scores = Mapping[str, Mapping[str, Any]]
"""Quantity to its measurement, as a bundle tells it."""


def confirm_members(
    plan: Confirmation,
    *,
    names: Mapping[str, str],
    epochs: int | None,
    device: str,
    threads: int | None,
    folder: Path,
    watching: Watching,
) -> list[Confirmed]:
    """Train all members and the baselines; what was trained before into the same folder is found.

    Raises:
        ArchdslError: as `archdsl.train`.
    """
    scores: dict[str, dict[int, _Scores]] = {}
    images: dict[str, str] = {}
    trained_in_full: dict[str, ModelSpec | Baseline] = {
        _name(member): ModelSpec.model_validate(member.spec) for member in plan.members
    }
    trained_in_full |= {each.name: each for each in plan.baselines}
    for name, named in trained_in_full.items():
        spec, init = _fresh(named) if isinstance(named, Baseline) else (named, None)
        for seed in plan.seeds:
            place = _place(folder, name, seed)
            with watching(name, seed, place) as watch:
                trained = run_training(
                    spec,
                    data=plan.data,
                    names=names,
                    recipe=plan.recipe,
                    epochs=epochs,
                    init=init or plan.init,
                    seed=seed,
                    split_seed=plan.split_seed,
                    device=device,
                    threads=threads,
                    folder=place,
                    watch=watch,
                )
            found = {each["quantity"]: each for each in trained.bundle.scores}
            scores.setdefault(name, {})[seed] = found
            images[name] = trained.bundle.training["data"]["digest"]
    return _compared(plan, scores, images, folder)


def _fresh(baseline: Baseline) -> tuple[Baseline, Path | None]:
    """A baseline by itself, and the weights that a study begins it with, if it says any of it."""
    init = Path(baseline.init) if baseline.init else None
    return replace(baseline, init="", begun_with=""), init


def _name(member: CompleteTrial) -> str:
    return f"trial {member.trial.number}"


def _place(folder: Path, name: str, seed: int) -> Path:
    """`trial-3/seed-1`, `timm-resnet18/seed-1`."""
    return folder / re.sub("[ :]", "-", name) / f"seed-{seed}"


def _compared(
    plan: Confirmation,
    scores: Mapping[str, Mapping[int, _Scores]],
    images: Mapping[str, str],
    folder: Path,
) -> list[Confirmed]:
    metric, objectives = plan.metric, plan.front.study.objectives
    test = on_test_images(metric)
    means = {
        name: _mean(metric, seeds.values(), stored_as=metric) for name, seeds in scores.items()
    }
    members = {_name(each): each for each in plan.members}
    known: dict[str, Mapping[str, Value]] = {
        **{name: each.trial.values for name, each in members.items()},
        **{each.name: each.values for each in plan.front.baselines},
    }
    places = {
        name: losses(
            {n: v.value for n, v in known[name].items()} | {metric: each.value}, objectives
        )
        for name, each in means.items()
        if {*known[name], metric} >= objectives.keys()
    }
    best = nondominated({name: places[name] for name in members})
    best |= {
        name
        for name in places.keys() - members.keys()
        if not any(dominates(places[member], places[name]) for member in members)
    }
    return [
        Confirmed(
            trial=members[name].trial.number if name in members else None,
            baseline="" if name in members else name,
            metric=metric,
            found=_found(members[name], metric) if name in members else known[name].get(metric),
            confirmed=means[name],
            tested=_mean(metric, seeds.values(), stored_as=test)
            if all(test in each for each in seeds.values())
            else None,
            by_seed={seed: each[metric]["value"] for seed, each in seeds.items()},
            bundles={seed: _place(folder, name, seed) for seed in seeds},
            values={n: each.value for n, each in known[name].items() if n != metric},
            on_front=name in best,
            same_images=name not in members
            or members[name].measured[metric].protocol.get("data") == images[name],
        )
        for name, seeds in scores.items()
    ]


def _found(member: CompleteTrial, metric: str) -> Value:
    """What the search found: an objective's value, or what a bound was held against."""
    known = member.trial.values.get(metric)
    if known is not None:
        return known
    measured = member.measured[metric]
    return Value(value=measured.value, low=measured.low, high=measured.high)


def _mean(metric: str, by_seed: Iterable[_Scores], *, stored_as: str) -> Value:
    found = [each[stored_as] for each in by_seed]
    values = [each["value"] for each in found]
    low, high = found[0]["low"], found[0]["high"]
    if len(values) > 1:
        low, high, _ = mean_interval(values)
    least, greatest = METRICS[metric].bounds
    return Value(value=fmean(values), low=max(low, least), high=min(high, greatest))


@arguments(
    db=DB,
    study=NAME | None,
    recipe=instance(str, Mapping, wanted="a recipe; give its name, or its words as a mapping")
    | None,
    data=DATA | None,
    seeds=Annotated[int, Field(ge=1, le=100)],
    epochs=Annotated[int, Field(ge=1)] | None,
    folder=instance(str, Path, wanted="a folder; give its path") | None,
    runner=RUNNER,
    device=Literal["auto", "cpu", "cuda"],
    threads=Annotated[int, Field(ge=1)] | None,
)
def confirm(
    db: str | Path = DEFAULT_DB,
    *,
    study: str | None = None,
    recipe: str | Mapping[str, Any] | None = None,
    data: str | None = None,
    seeds: int = 3,
    epochs: int | None = None,
    folder: str | Path | None = None,
    runner: Document = "local",
    device: str = "auto",
    threads: int | None = None,
) -> list[Confirmed]:
    """Train the members of a study's front in full, with seeds that the search did not use.

    The best of many candidates looks better than it is, by luck of its seed and its few epochs:
    here that luck is drawn anew. The same call goes on after an interruption.

    Args:
        db: path or URL of the database.
        study: its name; not needed where the database holds one study.
        recipe: name of a recipe, or its words; the study's own, with all of its epochs, unless
            given.
        data: the images; those of the study unless given.
        seeds: trainings of each member.
        epochs: passes over the images to train on; the recipe's unless given.
        folder: holds a folder for each trained network; `confirmed/STUDY` unless given.
        runner: the run profile that names the study's data.
        device: `auto` takes a GPU where there is one.
        threads: of the processors, at most; all that are usable unless given.

    Returns:
        The members, in the order of the front, and the baselines of the study, without a number.

    Raises:
        StudyError: no such study, or nothing to confirm.
        StoreError: there is no such database, or it cannot be read.
        ArchdslError: as `archdsl.train`.
    """
    from archdsl.reporting.front import read_front
    from archdsl.searching.stored import find_study
    from archdsl.store.store import open_store

    with open_store(str(db), create=False, read_only=True) as store:
        row = find_study(store, study, option=lambda name: f"study={name!r}")
        plan = plan_of(read_front(store, row), recipe=recipe, data=data, seeds=seeds)
    return confirm_members(
        plan,
        names=profile_of(runner).data,
        epochs=epochs,
        device=device,
        threads=threads,
        folder=Path(folder or f"confirmed/{row.name}"),
        watching=lambda *_: nullcontext(Nobody()),
    )
