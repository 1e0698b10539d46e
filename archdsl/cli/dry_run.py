"""`archdsl search --dry-run`: how large a search is and what it will cost; trains nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.cli.printing import duration, print_json, put, say
from archdsl.cli.writing import write_files
from archdsl.document.messages import listed, shortened, shown
from archdsl.document.write import to_yaml
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.settings import AccuracySettings
from archdsl.metrics import TRAINED, trained_metric
from archdsl.plan.read import Checked
from archdsl.reporting.formatting import counted
from archdsl.runners.profile import RunProfile
from archdsl.searching.around import base_name
from archdsl.searching.constraints import broken
from archdsl.searching.read import CheckedStudy, find_base, is_document
from archdsl.searching.study import EvaluateWords

if TYPE_CHECKING:
    from archdsl.searching.draws import BrokenConstraint, HeldByTable
    from archdsl.space.refusals import Refusal

SAMPLES = 200
MOST_REASONS, MOST_OPTIONS, MESSAGE_LENGTH = 3, 3, 100
"""Reasons of one kind that are shown, options of each, and letters of what is said."""


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
        training_seconds: of training it, with all seeds, None where nothing is trained.
        epochs: of one training with one seed, None where nothing is trained.
        seeds: trainings of a trial, None where nothing is trained.
        timed_on: what the seconds are of: the base, or without one the first of all options.
        trials: of the budget.
    """

    size: int
    valid: float
    feasible: float
    invalid: Sequence[Refusal]
    infeasible: Sequence[BrokenConstraint]
    tables: Mapping[str, HeldByTable]
    latency_seconds: float | None
    training_seconds: float | None
    epochs: int | None
    seeds: int | None
    timed_on: str
    trials: int

    @property
    def total_seconds(self) -> float:
        """Of the whole budget, if every trial were like the base."""
        return min(self.trials, self.size) * (
            (self.latency_seconds or 0) + (self.training_seconds or 0)
        )


def write_document(checked: CheckedStudy, *, folder: Path, output: Path, force: bool) -> None:
    """Write the study to edit, with its base named from where the study will be.

    Args:
        checked: the study.
        folder: where its base was found from.
        output: the file.
        force: replace whatever it holds.

    Raises:
        WriteError: the file holds something else, or cannot be written.
    """
    document = checked.study.document()
    if "base" in document:
        document["base"] = _moved(document["base"], folder, output.parent)
    write_files({output: to_yaml(document).encode()}, force=force)
    say(f"wrote {output}")


def _moved(base: Any, before: Path, after: Path) -> Any:
    if is_document(base):
        return base
    if isinstance(base, dict):
        return {key: _moved(value, before, after) for key, value in base.items()}
    if isinstance(base, list):
        return [_moved(each, before, after) for each in base]
    return base_name(find_base(base, before), after)


def dry_run(checked: CheckedStudy, profile: RunProfile, *, as_json: bool, any_device: bool) -> None:
    """Print the estimate of a search."""
    estimate = _estimate(checked, profile, any_device)
    if as_json:
        print_json({**asdict(estimate), "total_seconds": estimate.total_seconds})
        return
    holes = sum(1 for _ in checked.space.holes())
    put(f"space      {estimate.size} combinations in {holes} holes")
    put(
        f"feasible   {estimate.feasible:.0%} of {SAMPLES} random draws ({estimate.valid:.0%} valid)"
    )
    _put_reasons("invalid", map(_invalid, estimate.invalid))
    _put_reasons("infeasible", map(_infeasible, estimate.infeasible))
    if not estimate.feasible:
        say(_nothing_feasible(checked, estimate))
    evaluate = checked.study.evaluate
    of, trained = estimate.timed_on, _training(evaluate)[1]
    put(f"latency    {_format_cost(evaluate.of('latency'), estimate.latency_seconds, of)}")
    put(f"training   {_format_cost(trained, estimate.training_seconds, of)}")
    _put_reasons("tables", map(_lacking, estimate.tables.items()))
    put(f"budget     {estimate.trials} trials, about {duration(estimate.total_seconds)} in all")


def _put_reasons(label: str, reasons: Iterable[Iterable[str]]) -> None:
    """The most frequent ones."""
    found = list(reasons)
    for lines in found[:MOST_REASONS]:
        for line in lines:
            put(f"{label:<10} {line}")
            label = ""
    if len(found) > MOST_REASONS:
        put(f"{label:<10} and {counted(len(found) - MOST_REASONS, 'rarer reason')} (--json)")


def _invalid(refusal: Refusal) -> Iterator[str]:
    message = shortened(refusal.message.partition(";")[0], limit=MESSAGE_LENGTH)
    yield f"{refusal.share:.0%}  {refusal.path}: {message}"
    options = [
        f"{each.hole} {shown(each.option)} ({each.refused} of {each.draws})"
        for each in refusal.options
    ]
    if options:
        yield f"     draws with {listed(options, most=MOST_OPTIONS)}"


def _infeasible(found: BrokenConstraint) -> Iterator[str]:
    yield f"{found.share:.0%}  {found.closest} (the closest)"


def _lacking(read: tuple[str, HeldByTable]) -> Iterator[str]:
    """What a table does not hold, if it does not hold everything."""
    quantity, table = read
    if table.missing:
        yield (
            f"{table.table} holds {quantity} of {table.held} of {counted(table.models, 'model')} "
            "drawn; the trials of the others fail, such as"
        )
        yield f"  {table.missing}"


def _nothing_feasible(checked: CheckedStudy, estimate: Estimate) -> str:
    if not estimate.valid:
        return (
            f"none of {SAMPLES} random draws makes a model: a search may find no candidate; take "
            "away the options that go with few others"
        )
    asked = ", ".join(each.text for each in checked.study.fact_constraints())
    return (
        f"none of {SAMPLES} random draws keeps the constraints ({asked}): a search may find no "
        "candidate; loosen them, or widen the space"
    )


def _training(evaluate: EvaluateWords) -> tuple[str, object]:
    """The metric that takes a training, and how it is evaluated, if it is."""
    metric = trained_metric(evaluate.given()) or TRAINED[0]
    return metric, evaluate.of(metric)


def _format_cost(settings: object, seconds: float | None, timed_on: str) -> str:
    if settings is None:
        return "not asked for"
    if seconds is None:
        return "from a table, costs nothing"
    work = ""
    if isinstance(settings, AccuracySettings):
        epochs, seeds = settings.resolved_recipe().epochs, len(settings.seeds)
        work = f": {counted(epochs, 'epoch')}, {counted(seeds, 'seed')}"
    cost = f"{seconds:.1f} s" if seconds < 60 else duration(seconds)
    return f"{cost} a trial{work}, timed on {timed_on}"


def _estimate(checked: CheckedStudy, profile: RunProfile, any_device: bool) -> Estimate:
    from archdsl.searching.before import first_model
    from archdsl.searching.draws import broken_constraints, draw, held_by_tables
    from archdsl.space.refusals import refusals

    constraints = checked.study.fact_constraints()
    draws = draw(checked.space, SAMPLES)
    valid = [each for each in draws if each.is_valid]
    feasible = [each for each in valid if not broken(constraints, each.facts)]
    tables = held_by_tables(checked, profile, feasible)
    conditions = checked.study.evaluate.of("latency")
    metric, settings = _training(checked.study.evaluate)
    model = first_model(checked)
    timed_on = "the base" if checked.space.bases else "the first of all options"
    trained = settings if isinstance(settings, AccuracySettings) else None
    latency = training = None
    if trained:
        say(f"timing a few steps of a training of {timed_on} …")
        training = _training_seconds(model, metric, trained, profile)
    if isinstance(conditions, Conditions):
        say(f"measuring the latency of {timed_on} …")
        latency = _latency_seconds(model, conditions, any_device)
    return Estimate(
        size=checked.space.size,
        valid=len(valid) / SAMPLES,
        feasible=len(feasible) / SAMPLES,
        invalid=refusals(checked.space, draws),
        infeasible=broken_constraints(constraints, draws),
        tables=tables,
        latency_seconds=latency,
        training_seconds=training,
        epochs=trained.resolved_recipe().epochs if trained else None,
        seeds=len(trained.seeds) if trained else None,
        timed_on=timed_on,
        trials=checked.study.budget.trials,
    )


def _latency_seconds(model: Checked, conditions: Conditions, any_device: bool) -> float:
    from archdsl.compiler.build import build_plan
    from archdsl.measuring.latency import measure_latency

    if any_device:
        conditions = conditions.model_copy(update={"device": "any"})
    network = build_plan(model.plan)
    started = time.perf_counter()
    measure_latency(network, image_shape=model.plan.image, conditions=conditions)
    return time.perf_counter() - started


def _training_seconds(
    model: Checked, metric: str, settings: AccuracySettings, profile: RunProfile
) -> float:
    from archdsl.compiler.build import build_plan
    from archdsl.training.data.source import open_data
    from archdsl.training.device import choose_device, cpu_threads, threads_for
    from archdsl.training.preflight import training_seconds
    from archdsl.training.tasks import TASKS

    dataset = open_data(
        settings.data,
        names=profile.data,
        split_seed=settings.split_seed,
        image_size=model.spec.image.size,
    )
    recipe = settings.resolved_recipe()
    device = choose_device(profile.training.device, profile=profile.name)
    threads = threads_for(
        model.plan, batch=recipe.batch, most=profile.training_threads, device=device
    )
    with cpu_threads(threads):
        one = training_seconds(
            build_plan(model.plan),
            model.spec,
            dataset,
            task=TASKS[metric],
            recipe=recipe,
            device=device,
        )
    return one * len(settings.seeds)
