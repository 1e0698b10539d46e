"""Scores on test images: for members of a finished front alone, never seen by a search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from archdsl.metrics import TRAINED, on_test_images, trained_metric
from archdsl.records import Measurement
from archdsl.store.rows import Trial
from archdsl.store.store import Store


def final_quantity(quantities: Iterable[str]) -> str:
    """What the score on test images is stored as of a study that measures `quantities`."""
    return on_test_images(trained_metric(quantities) or TRAINED[0])


def final_score(store: Store, trial: Trial) -> Measurement | None:
    """The score on test images of the weights behind a trial's validation, if it is stored."""
    behind = store.measurements.of_trial(trial.id)
    stored, final = store.measurements.of_arch(trial.arch_id), final_quantity(behind)
    return _of_training(behind, [each for each in stored if each.quantity == final])


def final_scores(
    store: Store, trials: Iterable[Trial], behind: Mapping[int, Mapping[str, Measurement]]
) -> dict[int, Measurement]:
    """The number of each trial to its `final_score`, where it has one; in one query.

    Args:
        store: that holds the trials.
        trials: complete ones of one study.
        behind: a trial's row to the measurements that its values are of.
    """
    wanted = list(trials)
    scores: dict[str, list[Measurement]] = {}
    final = final_quantity(name for trial in wanted for name in behind[trial.id])
    stored = store.measurements.of_study(wanted[0].study_id, final) if wanted else []
    for arch_id, measurement in stored:
        scores.setdefault(arch_id, []).append(measurement)
    found = {
        trial.number: _of_training(behind[trial.id], scores.get(trial.arch_id, ()))
        for trial in wanted
    }
    return {number: score for number, score in found.items() if score}


def _of_training(
    behind: Mapping[str, Measurement], scores: Sequence[Measurement]
) -> Measurement | None:
    """The last score of the weights that a search selected.

    Another study may have trained the same architecture on other data, or with another recipe.
    """
    selected = trained_metric(behind)
    if selected is not None:
        scores = [each for each in scores if _training(each) == _training(behind[selected])]
    return scores[-1] if scores else None


def _training(measurement: Measurement) -> dict[str, object]:
    """What the two protocols of one training share."""
    return {key: value for key, value in measurement.protocol.items() if key != "evaluator"}
