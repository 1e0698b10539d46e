"""`archdsl search --dry-run`: how large a search is and what it will cost; trains nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.cli.printing import print_json, say
from archdsl.document.write import to_yaml
from archdsl.files import write_whole

if TYPE_CHECKING:
    from archdsl.measure.conditions import Conditions
    from archdsl.measure.settings import AccuracySettings
    from archdsl.plan.read import Checked
    from archdsl.runners.profile import RunProfile
    from archdsl.search.read import CheckedStudy

SAMPLES = 200


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What is known before a search.

    Args:
        size: ways to decide, invalid and equal ones included.
        valid: share of random draws that give a model.
        feasible: share of random draws that give a model whose facts keep the constraints.
        latency_seconds: of measuring the base's latency, None where a table gives it.
        training_seconds: of training the base, None where a table gives its accuracy.
        trials: of the budget.
    """

    size: int
    valid: float
    feasible: float
    latency_seconds: float | None
    training_seconds: float | None
    trials: int

    @property
    def total_seconds(self) -> float:
        """Of the whole budget, if every trial were like the base."""
        return self.trials * ((self.latency_seconds or 0) + (self.training_seconds or 0))


def dry_run(
    checked: CheckedStudy,
    profile: RunProfile,
    *,
    output: Path | None,
    as_json: bool,
    any_device: bool,
) -> None:
    """Print the estimate of a search; with `output`, write the study to edit."""
    say("timing the base, a few seconds …")
    estimate = _estimate(checked, profile, any_device)
    if output is not None:
        write_whole(output, to_yaml(checked.study.document()))
        say(f"wrote {output}")
    if as_json:
        print_json({**vars(estimate), "total_seconds": estimate.total_seconds})
        return
    print(f"space      {estimate.size} combinations in {_holes(checked)} holes")
    print(
        f"feasible   {estimate.feasible:.0%} of {SAMPLES} random draws ({estimate.valid:.0%} valid)"
    )
    print(f"latency    {_told(estimate.latency_seconds)} to measure the base")
    print(f"training   {_told(estimate.training_seconds)} to train the base")
    print(f"budget     {estimate.trials} trials, about {_told(estimate.total_seconds)} in all")


def _holes(checked: CheckedStudy) -> int:
    return sum(1 for _ in checked.space.holes())


def _told(seconds: float | None) -> str:
    if seconds is None:
        return "nothing (from a table)"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _estimate(checked: CheckedStudy, profile: RunProfile, any_device: bool) -> Estimate:
    from archdsl.search.proposer import Proposer

    drawn = list(Proposer(checked=checked).sample(SAMPLES))
    valid = [proposal for proposal in drawn if proposal]
    evaluate = checked.study.evaluate
    model = checked.space.base_candidate() or (valid[0].model if valid else None)
    latency = training = None
    if model and evaluate.latency and not hasattr(evaluate.latency, "table"):
        latency = _latency_seconds(model, evaluate.latency, any_device)
    if model and evaluate.top1 and not hasattr(evaluate.top1, "table"):
        training = _training_seconds(model, evaluate.top1, profile)
    return Estimate(
        size=checked.space.size,
        valid=len(valid) / SAMPLES,
        feasible=sum(not proposal.violation for proposal in valid) / SAMPLES,
        latency_seconds=latency,
        training_seconds=training,
        trials=checked.study.budget.trials,
    )


def _latency_seconds(model: Checked, conditions: Conditions, any_device: bool) -> float:
    import time

    from archdsl.compiler.build import build_plan
    from archdsl.measure.latency import measure_latency

    if any_device:
        conditions = conditions.model_copy(update={"device": "any"})
    network = build_plan(model.plan)
    started = time.perf_counter()
    measure_latency(network, image_shape=model.plan.image, conditions=conditions)
    return time.perf_counter() - started


def _training_seconds(model: Checked, settings: AccuracySettings, profile: RunProfile) -> float:
    from archdsl.compiler.build import build_plan
    from archdsl.measure.estimate import training_seconds
    from archdsl.train.data.source import open_data
    from archdsl.train.device import choose_device

    dataset = open_data(
        settings.data,
        names=profile.data,
        split_seed=settings.split_seed,
        image_size=model.spec.image.size,
    )
    one = training_seconds(
        build_plan(model.plan),
        model.spec,
        dataset,
        recipe=settings.resolved_recipe(),
        device=choose_device(profile.training.device),
    )
    return one * len(settings.seeds)
