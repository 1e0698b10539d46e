"""Test accuracy: measured for members of a finished front alone, never seen by a search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from archdsl.records import Measurement
from archdsl.store.rows import Trial
from archdsl.store.store import Store

FINAL = "test_top1"


def final_score(store: Store, trial: Trial) -> Measurement | None:
    """The test accuracy of the weights behind a trial's validation accuracy, if it is stored."""
    scores = [each for each in store.measurements.of_arch(trial.arch_id) if each.quantity == FINAL]
    return _of_training(store.measurements.of_trial(trial.id).get("top1"), scores)


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
    stored = store.measurements.of_study(wanted[0].study_id, FINAL) if wanted else []
    for arch_id, measurement in stored:
        scores.setdefault(arch_id, []).append(measurement)
    found = {
        trial.number: _of_training(behind[trial.id].get("top1"), scores.get(trial.arch_id, ()))
        for trial in wanted
    }
    return {number: score for number, score in found.items() if score}


def _of_training(selected: Measurement | None, scores: Sequence[Measurement]) -> Measurement | None:
    """The last score of the weights that a search selected.

    Another study may have trained the same architecture on other data, or with another recipe.
    """
    if selected is not None:
        scores = [each for each in scores if _training(each) == _training(selected)]
    return scores[-1] if scores else None


def _training(measurement: Measurement) -> dict[str, object]:
    """What the two protocols of one training share."""
    return {key: value for key, value in measurement.protocol.items() if key != "evaluator"}
