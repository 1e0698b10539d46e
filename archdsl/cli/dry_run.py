"""`archdsl search --dry-run`: how large a search is and what it will cost; trains nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.cli.estimate import SAMPLES, Estimate, estimate_search
from archdsl.cli.printing import duration, print_json, put, say
from archdsl.cli.writing import write_files
from archdsl.document.messages import counted, listed, shortened, shown
from archdsl.document.write import to_yaml
from archdsl.measuring.settings import AccuracySettings
from archdsl.metrics import TRAINED, trained_metric
from archdsl.runners.profile import RunProfile
from archdsl.searching.around import base_name
from archdsl.searching.read import CheckedStudy, find_base, is_document

if TYPE_CHECKING:
    from archdsl.searching.draws import BrokenConstraint, HeldByTable
    from archdsl.space.refusals import Refusal

MOST_REASONS, MOST_OPTIONS, MESSAGE_LENGTH = 3, 3, 100
"""Reasons of one kind that are shown, options of each, and letters of what is said."""


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
    estimate = estimate_search(checked, profile, any_device=any_device)
    if as_json:
        print_json({**asdict(estimate), "total_seconds": estimate.total_seconds})
        return
    holes = sum(1 for _ in checked.space.holes())
    put(f"space      {counted(estimate.size, 'combination')} in {counted(holes, 'hole')}")
    put(
        f"feasible   {estimate.feasible:.0%} of {SAMPLES} random draws ({estimate.valid:.0%} valid)"
    )
    _put_reasons("invalid", map(_invalid, estimate.invalid))
    _put_reasons("infeasible", map(_infeasible, estimate.infeasible))
    if not estimate.feasible:
        say(_nothing_feasible(checked, estimate))
    evaluate = checked.study.evaluate
    trained = evaluate.of(trained_metric(evaluate.given()) or TRAINED[0])
    costs = {
        "latency": (evaluate.of("latency"), estimate.latency_seconds),
        "memory": (evaluate.of("memory"), estimate.memory_seconds),
        "throughput": (evaluate.of("throughput"), estimate.throughput_seconds),
        "training": (trained, estimate.training_seconds),
    }
    for name, (settings, seconds) in costs.items():
        if settings or name in ("latency", "training"):
            put(f"{name:<10} {_format_cost(settings, seconds, estimate.timed_on)}")
    for name, seconds in estimate.baselines.items():
        put(f"baseline   {name}: {_seconds(seconds)}, once the trials are done")
    for told in estimate.data:
        put(f"data       {told}")
    _put_reasons("tables", map(_lacking, estimate.tables.items()))
    within = ""
    if estimate.hours is not None and estimate.trial_seconds:
        fit = int(estimate.trials_seconds / estimate.trial_seconds)
        within = f": about {counted(fit, 'trial')} like {estimate.timed_on}"
    budget, total = checked.study.budget, duration(estimate.total_seconds)
    put(f"budget     {budget}, about {total} in all{within}")


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


def _format_cost(settings: object, seconds: float | None, timed_on: str) -> str:
    if settings is None:
        return "not asked for"
    if seconds is None:
        return "from a table, costs nothing"
    work = ""
    if isinstance(settings, AccuracySettings):
        epochs, seeds = settings.resolved_recipe().epochs, len(settings.seeds)
        work = f": {counted(epochs, 'epoch')}, {counted(seeds, 'seed')}"
    return f"{_seconds(seconds)} a trial{work}, timed on {timed_on}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)
