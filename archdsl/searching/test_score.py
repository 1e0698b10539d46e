"""Test accuracy: measured for members of a finished front alone, never seen by a search."""

from __future__ import annotations

from archdsl.records import Measurement
from archdsl.store.rows import Trial
from archdsl.store.store import Store

FINAL = "test_top1"


def final_score(store: Store, trial: Trial) -> Measurement | None:
    """The test accuracy of the weights behind a trial's validation accuracy, if it is stored.

    Another study may have trained the same architecture on other data, or with another recipe.
    """
    selected = store.measurements.of_trial(trial.id).get("top1")
    scores = [each for each in store.measurements.of_arch(trial.arch_id) if each.quantity == FINAL]
    if selected is not None:
        scores = [each for each in scores if _training(each) == _training(selected)]
    return scores[-1] if scores else None


def _training(measurement: Measurement) -> dict[str, object]:
    """What the two protocols of one training share."""
    return {key: value for key, value in measurement.protocol.items() if key != "evaluator"}
