"""Everything a report tells of a study, read from a store in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archdsl.analysis.choices import Choice, choices
from archdsl.analysis.effect import with_effect
from archdsl.analysis.importance import Importances, importances
from archdsl.analysis.transfer import FrontTransfer, front_transfers
from archdsl.records import Measurement
from archdsl.reporting.front import CompleteTrial, StudyResults, read_front
from archdsl.reporting.plots.points import spread
from archdsl.searching.stored import space_of
from archdsl.store.rows import EpochValue, StudyRow
from archdsl.store.store import Store

MOST_CARDS = 120
"""Members that have a card; of more, some all along the front."""


@dataclass(frozen=True, kw_only=True)
class MemberMistakes:
    """What a member's network takes for another class.

    Args:
        scored_on: the data, and which part of them.
        seed: of the training.
        images: of that part.
        wrong: how many of them.
        pictures: of the surest ones, see `archdsl.reporting.pages.mistakes_page.pictures_of`.
    """

    scored_on: str
    seed: int
    images: int
    wrong: int
    pictures: Sequence[Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class Member:
    """One member of the front, whole.

    Args:
        row: its trial.
        samples: objective to all measurements behind its value.
        beside: the architecture's peak memories that are no objective of the study.
        epochs: what its training reported.
        mistakes: None where they are not asked for; a text says why there are none to show.
    """

    row: CompleteTrial
    samples: Mapping[str, Sequence[Measurement]]
    beside: Sequence[Measurement]
    epochs: Sequence[EpochValue]
    mistakes: MemberMistakes | str | None = None


@dataclass(frozen=True, kw_only=True)
class Findings:
    """A study and what came of it.

    Args:
        results: its complete trials, and the others.
        members: of the front, those that have a card: all, unless they are very many.
        choices: what the complete trials decided, hole by hole.
        importances: how much each choice explains.
        idle: hole to the number of trials that decided it without effect, which are not counted.
        unlooked: how many trials are too many to look for such decisions.
        transfers: what becomes of one device's front on another.
    """

    results: StudyResults
    members: Sequence[Member]
    choices: Sequence[Choice]
    importances: Importances
    idle: Mapping[str, int]
    unlooked: int
    transfers: Sequence[FrontTransfer]


def read_findings(store: Store, study: StudyRow) -> Findings:
    """Read a study from its store."""
    results = read_front(store, study)
    complete = sorted((row.trial for row in results.rows), key=lambda trial: trial.number)
    decided = with_effect(space_of(study), complete)
    return Findings(
        results=results,
        members=[_member(store, study, row) for row in spread(results.members, most=MOST_CARDS)],
        choices=choices(decided.trials),
        importances=importances(study, decided.trials),
        idle=decided.idle,
        unlooked=decided.unlooked,
        transfers=front_transfers(
            store, study, complete, {row.trial.id: row.measured for row in results.rows}
        ),
    )


def _member(store: Store, study: StudyRow, row: CompleteTrial) -> Member:
    trial = row.trial
    return Member(
        row=row,
        samples=store.samples.of_trial(trial.id),
        beside=[
            each
            for each in store.measurements.of_arch(trial.arch_id)
            if each.quantity == "memory" and "memory" not in study.objectives
        ],
        epochs=store.epochs.of_trial(trial.id),
    )
