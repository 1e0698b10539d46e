"""What is known before a search: how much of its space is worth trying, and what that will cost."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from archdsl.cli.printing import say
from archdsl.measuring.settings import AccuracySettings, settings_of
from archdsl.metrics import trained_for
from archdsl.plan.baseline import Baseline
from archdsl.plan.plan import Plan
from archdsl.records import Job
from archdsl.runners.profile import RunProfile
from archdsl.searching.constraints import broken
from archdsl.searching.read import CheckedStudy
from archdsl.spec.model import ModelSpec

if TYPE_CHECKING:
    from archdsl.searching.draws import BrokenConstraint, HeldByTable
    from archdsl.space.refusals import Refusal

SAMPLES = 200


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What is known before a search.

    Args:
        size: ways to decide, invalid and equal ones included.
        valid: share of random draws that give a model.
        feasible: share of random draws that give a model whose facts keep the constraints.
        invalid: why the other draws give no model.
        infeasible: which constraints the models break.
        tables: of each quantity that is read from one, how many of the models drawn it holds.
        latency_seconds: of measuring its latency, None where that is not measured.
        memory_seconds: the same of its memory.
        throughput_seconds: the same of its throughput.
        training_seconds: of training it, with all seeds, None where nothing is trained.
        epochs: of one training with one seed, None where nothing is trained.
        seeds: trainings of a trial, None where nothing is trained.
        baselines: name of each to the seconds of training and measuring it, once.
        data: what a person should know of the images, a sentence each.
        timed_on: what the seconds are of: the base, or without one the first of all options.
        trials: of the budget, None where it sets none.
        hours: of the budget, None where it sets none.
    """

    size: int
    valid: float
    feasible: float
    invalid: Sequence[Refusal]
    infeasible: Sequence[BrokenConstraint]
    tables: Mapping[str, HeldByTable]
    latency_seconds: float | None
    memory_seconds: float | None
    throughput_seconds: float | None
    training_seconds: float | None
    epochs: int | None
    seeds: int | None
    baselines: Mapping[str, float]
    data: Sequence[str]
    timed_on: str
    trials: int | None
    hours: float | None

    @property
    def trial_seconds(self) -> float:
        """Of one trial, if it is like the base."""
        seconds = (
            self.latency_seconds,
            self.memory_seconds,
            self.throughput_seconds,
            self.training_seconds,
        )
        return sum(filter(None, seconds))

    @property
    def trials_seconds(self) -> float:
        """Of the whole budget, if every trial were like the base."""
        trials = min(self.trials or self.size, self.size)
        hours = math.inf if self.hours is None else self.hours
        return min(trials * self.trial_seconds, hours * 3600)

    @property
    def total_seconds(self) -> float:
        """Of the trials, and of the baselines, which come after them whatever the budget."""
        return self.trials_seconds + sum(self.baselines.values())


def estimate_search(checked: CheckedStudy, profile: RunProfile, *, any_device: bool) -> Estimate:
    """Draw models of a study's space, and time one of them.

    Raises:
        ArchdslError: devices, data or tables that are not there, a training that does not fit.
    """
    from archdsl.searching.before import (
        baselines_of,
        evaluate_here,
        first_model,
        job_of_baseline,
        job_of_model,
    )
    from archdsl.searching.draws import broken_constraints, draw, held_by_tables
    from archdsl.space.refusals import refusals

    constraints = checked.study.fact_constraints()
    draws = draw(checked.space, SAMPLES)
    valid = [each for each in draws if each.is_valid]
    feasible = [each for each in valid if not broken(constraints, each.facts)]
    tables = held_by_tables(checked, profile, feasible)
    given = evaluate_here(checked, any_device=any_device)
    measured = {name: settings for name, settings in given.items() if "table" not in settings}
    model, baselines = first_model(checked), baselines_of(checked)
    job = job_of_model(model)
    timed_on = "the base" if checked.space.bases else "the first of all options"
    metric = trained_for(measured)
    trained = training = None
    told: Sequence[str] = ()
    others = {each.name: 0.0 for each in baselines}
    if metric:
        say(f"timing a few steps of a training of {timed_on} …")
        trained = settings_of(AccuracySettings, measured.pop(metric), f"evaluate.{metric}")
        train = _Training(metric, trained, profile, image_size=model.spec.image.size)
        training, told = train.seconds(model.plan, model.spec), train.told
        for each in baselines:
            say(f"timing a few steps of a training of {each.name} …")
            others[each.name] += train.seconds(each, each)
    seconds = {}
    for name, settings in measured.items():
        say(f"measuring the {name} of {timed_on} …")
        seconds[name] = _measuring_seconds(job, name, settings, profile)
        for each in baselines:
            others[each.name] += _measuring_seconds(job_of_baseline(each), name, settings, profile)
    return Estimate(
        size=checked.space.size,
        valid=len(valid) / SAMPLES,
        feasible=len(feasible) / SAMPLES,
        invalid=refusals(checked.space, draws),
        infeasible=broken_constraints(constraints, draws),
        tables=tables,
        latency_seconds=seconds.get("latency"),
        memory_seconds=seconds.get("memory"),
        throughput_seconds=seconds.get("throughput"),
        training_seconds=training,
        epochs=trained.resolved_recipe().epochs if trained else None,
        seeds=len(trained.seeds) if trained else None,
        baselines=others,
        data=told,
        timed_on=timed_on,
        trials=checked.study.budget.trials,
        hours=checked.study.budget.hours,
    )


def _measuring_seconds(
    job: Job, quantity: str, settings: Mapping[str, Any], profile: RunProfile
) -> float:
    """As long as a search takes for it, without what it waits until others leave the device."""
    from archdsl.device_lock import report_waits, tell_wait
    from archdsl.measuring.evaluators import make_evaluators

    waits = []

    def waited(seconds: float, words: str) -> None:
        waits.append(seconds)
        if words:
            tell_wait(words)

    [evaluator] = make_evaluators({quantity: settings}, profile)
    started = time.perf_counter()
    with report_waits(waited):
        evaluator.measure(job, report=lambda epoch, value: None)
    return time.perf_counter() - started - sum(waits)


class _Training:
    """What the trainings of a study take: the data are opened once.

    Args:
        metric: that is trained for.
        settings: the study's words of it.
        profile: where it would be trained.
        image_size: (height, width) of the images.
    """

    def __init__(
        self,
        metric: str,
        settings: AccuracySettings,
        profile: RunProfile,
        *,
        image_size: tuple[int, int],
    ) -> None:
        from archdsl.training.data.dataset import told_of
        from archdsl.training.data.source import open_data
        from archdsl.training.device import choose_device
        from archdsl.training.tasks import TASKS

        self._recipe, self._seeds = settings.resolved_recipe(), len(settings.seeds)
        self._task, self._most = TASKS[metric], profile.training_threads
        self._device = choose_device(profile.training.device, profile=profile.name)
        self._dataset = open_data(
            settings.data,
            names=profile.data,
            split_seed=settings.split_seed,
            image_size=image_size,
            broken=self._recipe.broken,
            crop_pct=self._recipe.crop_pct,
        )
        self.told = told_of(self._dataset)

    def seconds(self, named: Plan | Baseline, spec: ModelSpec | Baseline) -> float:
        """Of a network with all seeds.

        Args:
            named: the network.
            spec: its document; a baseline is its own.
        """
        from archdsl.compiler.baseline import build_baseline
        from archdsl.compiler.build import build_plan
        from archdsl.training.device import cpu_threads, threads_for
        from archdsl.training.preflight import check_fits, training_seconds

        recipe, device = self._recipe, self._device
        build = (
            partial(build_baseline, named, seed=0, drop_path=recipe.drop_path)
            if isinstance(named, Baseline)
            else partial(build_plan, named)
        )
        threads = threads_for(named, batch=recipe.images_at_once, most=self._most, device=device)
        check_fits(build, task=self._task, image_shape=named.image, recipe=recipe, device=device)
        with cpu_threads(threads):
            one = training_seconds(
                build(), spec, self._dataset, task=self._task, recipe=recipe, device=device
            )
        return one * self._seeds
