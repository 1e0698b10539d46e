"""A study around a plain model: its neighbourhood, searched on named data."""

from __future__ import annotations

from typing import Any

from archdsl.metrics import METRICS, TRAINED
from archdsl.plan.read import Checked
from archdsl.space.neighbourhood import neighbourhood

TRIALS = 24
LATENCY_BATCH = 8


def study_around(model: Checked, *, base: str | dict[str, Any], data: str | None) -> dict[str, Any]:
    """A study document with `model` as its base.

    Args:
        model: the plain model.
        base: its name or path as the study will say it, or its document.
        data: source of images, or a name from the run profile; None to train nothing.
    """
    evaluate: dict[str, Any] = {"latency": {"device": "any", "batch": LATENCY_BATCH}}
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
