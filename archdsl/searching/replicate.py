"""Spending more where a front is unsure: what to measure again, and doing it.

What to buy next is a function of what is stored: one purchase at a time, cheap quantities first,
and only for trials that still cannot be told apart. So a replication that was killed goes on when
it is run again, and one that is done finds nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count, islice
from statistics import fmean
from typing import Any

from archdsl.analysis.indistinguishable import indistinguishable
from archdsl.metrics import TRAINED, trained_metric
from archdsl.records import Measurement
from archdsl.runners.profile import RunProfile
from archdsl.searching.remeasure import Remeasurer
from archdsl.store.rows import StudyRow, Trial
from archdsl.store.store import Store

SEEDS_PER_ROUND = 2
"""One seed beside the first would do little: Student's interval of two values reaches 12.7 standard
errors to either side, of three 4.3."""

Settings = dict[str, Any]
"""What distinguishes the protocol of a further measurement: other seeds, or which repeat it is."""


@dataclass(frozen=True, kw_only=True)
class Replicate:
    """A further measurement of one quantity of one trial.

    Args:
        trial: whose value becomes more precise.
        objective: which value.
        turn: which purchase of this value, from 1.
        words: what distinguishes it from the other measurements of this value.
    """

    trial: Trial
    objective: str
    turn: int
    words: Settings

    @property
    def key(self) -> tuple[int, str, int]:
        """Names it within its study."""
        return (self.trial.number, self.objective, self.turn)

    @property
    def trainings(self) -> int:
        """How many networks are trained for it."""
        return len(self.words.get("seeds", ()))


@dataclass(frozen=True, kw_only=True)
class ReplicationCost:
    """What a replication may spend at most.

    Args:
        purchases: in the order they are made, as long as they are needed.
        seconds: how long all would take, judged by what the search took; None if that is unknown.
        indistinguishable: numbers of all trials that cannot be told apart, those with nothing left
            to buy included.
    """

    purchases: Sequence[Replicate]
    seconds: float | None
    indistinguishable: Sequence[int]


@dataclass(frozen=True, kw_only=True)
class Replicated:
    """What a replication has come to.

    Args:
        made: what was bought.
        failed: what could not be measured, and why.
        indistinguishable: numbers of the trials that still cannot be told apart.
        left: what the same command would buy next: trials that could be told apart when it began.
    """

    made: Sequence[Replicate]
    failed: Sequence[tuple[Replicate, str]]
    indistinguishable: Sequence[int]
    left: Sequence[Replicate]


def counted(purchases: Sequence[Replicate]) -> dict[str, int]:
    """How many `measurements` without a training purchases are, and how many `trainings`."""
    return {
        "measurements": sum(not each.trainings for each in purchases),
        "trainings": sum(each.trainings for each in purchases),
    }


def replication_cost(store: Store, study: StudyRow, *, rounds: int) -> ReplicationCost:
    """What may be spent on exactly the members that cannot be told apart.

    Args:
        store: the database.
        study: a study that was searched.
        rounds: how many further measurements each value may have, a training with
            `SEEDS_PER_ROUND` further seeds being one; those that were made before are included.
    """
    robust = store.trials.front(study.id, robust=True)
    found = indistinguishable(robust)
    members = [trial for trial in robust if trial.number in found]
    purchases = [
        purchase
        for trial in members
        for name, samples in store.samples.of_trial(trial.id).items()
        for purchase in _purchases(study, trial, name, samples=samples, rounds=rounds)
    ]
    purchases.sort(key=lambda each: (each.turn, bool(each.trainings), each.trial.number))
    return ReplicationCost(
        purchases=purchases,
        seconds=_seconds(store, purchases),
        indistinguishable=[trial.number for trial in members],
    )


def replicate(
    store: Store,
    study: StudyRow,
    *,
    agreed: ReplicationCost,
    rounds: int,
    profile: RunProfile,
    watch: Callable[[Replicate, Sequence[Replicate]], None],
    any_device: bool = False,
) -> Replicated:
    """Buy what was agreed on, as long as it is needed; each purchase is stored before the next.

    Args:
        store: the database.
        study: the study.
        agreed: of `replication_cost`; nothing beyond it is bought.
        rounds: as of `replication_cost`.
        profile: where candidates run.
        watch: told of every purchase that begins, and of those that were made before it.
        any_device: measure on whatever device is here, for a search that did so.

    Raises:
        StudyError: this place measures otherwise than the search did.
        ArchdslError: data or devices that are not there, a store that cannot be written.
    """
    allowed = {purchase.key for purchase in agreed.purchases}
    made: list[Replicate] = []
    failed: dict[tuple[int, str, int], tuple[Replicate, str]] = {}
    with closing(Remeasurer(store, study, profile, any_device=any_device)) as again:
        while True:
            now = replication_cost(store, study, rounds=rounds)
            needed = [each for each in now.purchases if each.key not in failed]
            wanted = next((each for each in needed if each.key in allowed), None)
            if wanted is None:
                break
            watch(wanted, made)
            trouble = again.measure(wanted.trial, wanted.objective, wanted.words)
            if trouble is None:
                made.append(wanted)
            else:
                failed[wanted.key] = (wanted, trouble)
    return Replicated(
        made=made,
        failed=list(failed.values()),
        indistinguishable=now.indistinguishable,
        left=needed,
    )


def _purchases(
    study: StudyRow, trial: Trial, name: str, *, samples: Sequence[Measurement], rounds: int
) -> list[Replicate]:
    settings = study.document.get("evaluate", {}).get(name)
    value = trial.values[name]
    if settings is None or value.low == value.high:
        return []  # known for certain
    had = [sample.protocol for sample in samples]
    turns = ((turn, _words(name, settings, turn)) for turn in range(1, rounds + 1))
    return [
        Replicate(trial=trial, objective=name, turn=turn, words=words)
        for turn, words in turns
        if not any(_holds(protocol, words) for protocol in had)
    ]


def _words(name: str, settings: Mapping[str, Any], turn: int) -> Settings:
    if name not in TRAINED or "table" in settings:
        return {"repeat": turn}
    taken = set(settings.get("seeds", ()))
    fresh = (seed for seed in count() if seed not in taken)
    return {"seeds": list(islice(fresh, (turn - 1) * SEEDS_PER_ROUND, turn * SEEDS_PER_ROUND))}


def _holds(protocol: Mapping[str, Any], words: Settings) -> bool:
    return all(protocol.get(name) == value for name, value in words.items())


def _seconds(store: Store, purchases: Sequence[Replicate]) -> float | None:
    """A trial whose values came from another study took no time: it is judged by the others."""
    total = 0.0
    for trains in (False, True):
        chosen = [each for each in purchases if bool(each.trainings) is trains]
        known = [taken for each in chosen if (taken := _seconds_of(store, each)) > 0]
        if chosen and not known:
            return None
        total += fmean(known) * len(chosen) if known else 0.0
    return total


def _seconds_of(store: Store, purchase: Replicate) -> float:
    behind = store.measurements.of_trial(purchase.trial.id)
    trained = behind.get(trained_metric(behind) or "")
    seconds = float(trained.detail.get("train_seconds", 0.0)) if trained else 0.0
    if trained and purchase.trainings:
        return seconds / len(trained.protocol["seeds"]) * purchase.trainings
    return purchase.trial.seconds - seconds
