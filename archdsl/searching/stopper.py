"""Early stopping in a search: what the rules are asked, read from the store alone."""

from __future__ import annotations

from archdsl.measuring.settings import AccuracySettings
from archdsl.metrics import METRICS, TRAINED, trained_metric
from archdsl.records import State
from archdsl.searching.stopping import (
    AshaStopping,
    Curve,
    FrontStopping,
    NoStopping,
    Outlook,
    Values,
    beaten_by,
)
from archdsl.searching.study import Study
from archdsl.store.rows import Trial
from archdsl.store.store import Store


class Stopper:
    """Says which trials of a study are stopped, and what a sampler learns from those.

    The answers depend on stored curves and on the trials finished so far alone: a search that was
    killed decides as if it had not been.

    Args:
        study: its document.
        study_id: its row.
        store: the database.
    """

    def __init__(self, *, study: Study, study_id: int, store: Store) -> None:
        self._directions = dict(study.objectives)
        self._study_id, self._store = study_id, store
        self._rivals: dict[int, Values] = {}
        # Without one there is no rule: nothing is trained.
        self._metric = trained_metric(study.evaluate.given()) or TRAINED[0]
        settings = study.evaluate.of(self._metric)
        if isinstance(study.stopping, NoStopping) or not isinstance(settings, AccuracySettings):
            self._rule: FrontStopping | AshaStopping | None = None
        else:
            self._rule = study.stopping
            self._outlook = Outlook(
                epochs=settings.resolved_recipe().epochs,
                best=METRICS[self._metric].best,
                seeds=len(settings.seeds),
            )

    @property
    def stops(self) -> bool:
        """Whether the study stops any trial at all."""
        return self._rule is not None

    def learn(self, trial: Trial) -> None:
        """Take in a finished trial; all are told, in the order they were finished."""
        if isinstance(self._rule, FrontStopping) and trial.state is State.COMPLETE:
            values = {name: value.value for name, value in trial.values.items()}
            self._rivals[trial.number] = values
            self._outlook.add(self._curve(trial.id))

    def reason(self, trial_id: int, exact: Values) -> str | None:
        """Why a trial is to be stopped after what it has reported so far; None when it goes on.

        Args:
            trial_id: row of a running trial.
            exact: what is known of it without its training; objectives and others.
        """
        if self._rule is None:
            return None
        curve = self._curve(trial_id)
        if len(curve) < self._rule.earliest or self._outlook.is_whole(curve):
            return None
        if isinstance(self._rule, AshaStopping):
            return self._behind_others(curve, self._rule)
        return self._under_front(curve, exact, margin=self._rule.margin)

    def bound(self, trial: Trial, exact: Values) -> Values | None:
        """What a sampler learns from a stopped trial: its exact values, and the accuracy that was
        hoped for at most (that it had reached, where nothing was extrapolated)."""
        curve = self._curve(trial.id)
        if self._rule is None or not curve:
            return None
        hoped = self._outlook.optimistic(curve) if isinstance(self._rule, FrontStopping) else None
        values = {**exact, self._metric: curve[-1] if hoped is None else hoped}
        if any(name not in values for name in self._directions):
            return None
        return {name: values[name] for name in self._directions}

    def _under_front(self, curve: Curve, exact: Values, *, margin: float) -> str | None:
        hoped = self._outlook.optimistic(curve)
        others = [name for name in self._directions if name != self._metric]
        if hoped is None or any(name not in exact for name in others):
            return None
        number = beaten_by(
            {**exact, self._metric: hoped},
            self._rivals,
            metric=self._metric,
            directions=self._directions,
            margin=margin,
        )
        if number is None:
            return None
        return (
            f"after epoch {len(curve)}: {self._metric} {self._number(max(curve))} so far, "
            f"{self._number(hoped)} at most in sight; trial {number} has "
            f"{self._number(self._rivals[number][self._metric])}"
            + (f" and no worse {' or '.join(others)}" if others else "")
        )

    def _behind_others(self, curve: Curve, rule: AshaStopping) -> str | None:
        epoch, value = len(curve), curve[-1]
        if not rule.is_rung(epoch):
            return None
        at_rung = self._store.epochs.at(epoch, study_id=self._study_id, name=self._metric)
        if rule.keeps(value, at_rung):
            return None
        return (
            f"after epoch {epoch}: {self._metric} {self._number(value)} is not in the best "
            f"1/{rule.reduction} of {len(at_rung)} trials"
        )

    def _number(self, value: float) -> str:
        return f"{value:.2f} {METRICS[self._metric].unit}"

    def _curve(self, trial_id: int) -> list[float]:
        """The metric after each epoch; empty where one is missing."""
        found = [
            each for each in self._store.epochs.of_trial(trial_id) if each.name == self._metric
        ]
        whole = [each.epoch for each in found] == list(range(1, len(found) + 1))
        return [each.value for each in found] if whole else []
