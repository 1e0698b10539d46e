"""Memory, before a training is paid for: estimated first, then tried with one step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archdsl.metrics import trained_for
from archdsl.plan.baseline import Baseline
from archdsl.records import Job
from archdsl.runners.profile import RunProfile

Preflight = Callable[[Job], None]
"""Raises what the training of a candidate would raise for want of memory."""


def make_preflight(
    evaluate: Mapping[str, Mapping[str, Any]], profile: RunProfile
) -> Preflight | None:
    """The preflight of a study's trainings; None where nothing is trained.

    Args:
        evaluate: quantity to settings.
        profile: says which device trains.
    """
    metric = trained_for(evaluate)
    if metric is None:
        return None
    # Only here: what reads tables needs no torch.
    from archdsl.measuring.candidate import build_candidate
    from archdsl.measuring.settings import AccuracySettings, settings_of
    from archdsl.spec.model import ModelSpec
    from archdsl.training.device import choose_device, cpu_threads
    from archdsl.training.preflight import check_fits, try_step
    from archdsl.training.tasks import TASKS

    settings = settings_of(AccuracySettings, evaluate[metric], f"evaluate.{metric}")
    task, recipe = TASKS[metric], settings.resolved_recipe()
    device = choose_device(profile.training.device, profile=profile.name)

    def preflight(job: Job) -> None:
        named = Baseline.read(job.spec) or ModelSpec.model_validate(job.spec)
        image = named.image
        shape = image if isinstance(image, tuple) else (image.channels, *image.size)
        check_fits(
            lambda: build_candidate(job, seed=0, drop_path=recipe.drop_path)[0],
            task=task,
            image_shape=shape,
            recipe=recipe,
            device=device,
        )
        model, _ = build_candidate(job, seed=0, drop_path=recipe.drop_path)
        with cpu_threads(profile.training_threads):
            try_step(model, task=task, image_shape=shape, recipe=recipe, device=device)

    return preflight
