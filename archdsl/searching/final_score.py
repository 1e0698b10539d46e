"""Scores on test images: for members of a finished front alone, never seen by a search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from archdsl.metrics import TRAINED, on_test_images, trained_metrics
from archdsl.records import Measurement
from archdsl.store.rows import Trial
from archdsl.store.store import Store

Scores = dict[str, Measurement]
"""What each is stored as, to the score."""


def final_quantities(quantities: Iterable[str]) -> list[str]:
    """What scores on test images are stored as of a study that measures `quantities`."""
    return [on_test_images(name) for name in trained_metrics(quantities) or TRAINED[:1]]


def final_score(store: Store, trial: Trial) -> Scores:
    """The scores on test images of the weights behind a trial's validation that are stored."""
    behind = store.measurements.of_trial(trial.id)
    return _of_training(behind, store.measurements.of_arch(trial.arch_id))


def final_scores(
    store: Store, trials: Iterable[Trial], behind: Mapping[int, Mapping[str, Measurement]]
) -> dict[int, Scores]:
    """The number of each trial to its `final_score`; in one query for each metric.

    Args:
        store: that holds the trials.
        trials: complete ones of one study.
        behind: a trial's row to the measurements that its values are of.
    """
    wanted = list(trials)
    if not wanted:
        return {}
    scores: dict[str, list[Measurement]] = {}
    for metric in _scored_by(name for trial in wanted for name in behind[trial.id]):
        stored = store.measurements.of_study(wanted[0].study_id, on_test_images(metric))
        for arch_id, measurement in stored:
            scores.setdefault(arch_id, []).append(measurement)
    return {
        trial.number: _of_training(behind[trial.id], scores.get(trial.arch_id, ()))
        for trial in wanted
    }


def _scored_by(objectives: Iterable[str]) -> Sequence[str]:
    """Metrics whose scores are wanted: any, where a training is bounded alone, or there is none."""
    return trained_metrics(objectives) or TRAINED


def _of_training(behind: Mapping[str, Measurement], stored: Sequence[Measurement]) -> Scores:
    """The last score by each metric of the weights that a search selected.

    Another study may have trained the same architecture on other data, or with another recipe.
    """
    found: Scores = {}
    for metric in _scored_by(behind):
        for each in stored:
            of_metric = each.quantity == on_test_images(metric)
            selected = metric not in behind or _training(each) == _training(behind[metric])
            if of_metric and selected:
                found[each.quantity] = each
    return found


def _training(measurement: Measurement) -> dict[str, object]:
    """What the two protocols of one training share."""
    return {key: value for key, value in measurement.protocol.items() if key != "evaluator"}
