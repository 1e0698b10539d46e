"""Studies in a store: finding one, and all trials of one with everything known of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archdsl.analysis.aggregate import intervals_over
from archdsl.document.messages import listed, nearest
from archdsl.document.tree import Scalar, tree_of
from archdsl.errors import DocumentError, StudyError
from archdsl.plan.read import check_model
from archdsl.printable import one_line
from archdsl.records import State
from archdsl.searching.final_score import final_scores
from archdsl.space.base_decisions import base_decisions
from archdsl.space.difference import Differences
from archdsl.space.holes import parse
from archdsl.space.space import Space
from archdsl.store.damage import Damage
from archdsl.store.rows import StudyRow, Trial
from archdsl.store.store import Store


def find_study(
    store: Store, name: str | None, *, option: Callable[[str], str], db: str | None = None
) -> StudyRow:
    """The named study, or the only one.

    Args:
        store: an open one.
        name: of the study.
        option: how the name of a study is said where one is asked for, such as `--study NAME`.
        db: what the database is called; the store's own name for it unless given.

    Raises:
        StudyError: no such study, none at all, or several and no name.
    """
    db, studies = db or store.place, store.studies.all()
    names = [study.name for study in studies]
    if not studies:
        raise StudyError(f"{db} holds no study yet; `archdsl search` starts one")
    if name is None and len(studies) == 1:
        return studies[0]
    if name is None:
        choices = " or ".join(option(each) for each in names)
        raise StudyError(f"{db} holds several studies; say which: {choices}")
    if name not in names:
        hint = nearest(name, names)
        ending = f"did you mean '{hint}'?" if hint else f"it has: {listed(names)}"
        raise StudyError(f"{db} has no study '{one_line(name)}'; {ending}")
    return studies[names.index(name)]


def likely_study(store: Store) -> tuple[StudyRow, str] | None:
    """Which of several studies is meant by whoever only looks and names none, and why.

    The one that is searched, else the one that changed last; None where several are searched, or
    where there is no choice.
    """
    found = [store.snapshots.take(study.id) for study in store.studies.all()]
    searched = [each for each in found if each.searched]
    if len(found) < 2 or len(searched) > 1:
        return None
    if searched:
        return searched[0].study, "the one that is searched"
    return max(found, key=lambda each: each.last_change or "").study, "the one that changed last"


def space_of(study: StudyRow) -> Space | None:
    """The space of a study as it is stored; None where that does not say all of it."""
    document: Mapping[str, Any] = study.document
    bases: Mapping[str, Any] = document.get("bases", {})
    if "space" not in document or bool(document.get("base")) != bool(bases):
        return None
    overlay, _ = parse(tree_of(document["space"], source="space"))
    trees = {
        label: tree_of({"name": label, **base}, source="base") for label, base in bases.items()
    }
    return Space(bases=trees, overlay=overlay)


def decisions_of_base(study: StudyRow) -> Mapping[str, Scalar]:
    """The decisions that would lead to the base of a study, where a table may know it by them."""
    tabular = any("table" in each for each in study.document["evaluate"].values())
    space = space_of(study) if tabular else None
    return base_decisions(space) if space else {}


def unreadable(store: Store) -> list[Damage]:
    """Documents of a database that are JSON, and no models or studies."""
    found = []
    for arch_id, architecture in store.architectures.models().items():
        try:
            check_model(tree_of(architecture.spec, source="spec"))
        except DocumentError as error:
            first = error.problems[0]
            message = f"spec is no model: {first.path}: {first.message}"
            row = f"architectures arch_id={arch_id}"
            found.append(Damage(row=row, message=message, study=None))
    return [*found, *(damage for study in store.studies.all() for damage in _no_study(study))]


def refuse_damaged(store: Store, study: StudyRow) -> None:
    """See that all that is stored of a study can be read.

    Raises:
        StoreError: rows of it are damaged, or its document is no study.
    """
    store.refuse_damaged(study_id=study.id)
    store.database.refuse(_no_study(study))


def _no_study(study: StudyRow) -> list[Damage]:
    goals = study.objectives
    try:
        space_of(study)
        decisions_of_base(study)
    except (DocumentError, LookupError, TypeError, AttributeError) as error:
        message = f"document is no study: {type(error).__name__}: {error}"
    else:
        if goals and all(goal in ("minimize", "maximize") for goal in goals.values()):
            return []
        message = f"objectives is {dict(goals)}, not what to minimize or maximize"
    return [Damage(row=f"studies id={study.id}", message=message, study=study.name)]


@dataclass(frozen=True, kw_only=True)
class ListedTrial:
    """One trial.

    Args:
        trial: its row.
        difference: what distinguishes it from the study's base; empty for the base, or without one.
        facts: what is known of its architecture.
        steady: whether its latency closed and nothing disturbed it; None where that is unknown.
        tests: scores on test images, of members of the front: `test_top1`, ….
        over: trained objective to what its interval is over: `3 seeds`, `359 images`.
    """

    trial: Trial
    difference: str
    facts: Mapping[str, Any]
    steady: bool | None
    tests: Mapping[str, float]
    over: Mapping[str, str]


def list_trials(store: Store, study: StudyRow) -> list[ListedTrial]:
    """Every trial of a study, by number, whatever became of it.

    Raises:
        StoreError: rows of it are damaged, or its document is no study.
    """
    refuse_damaged(store, study)
    trials = store.trials.all(study.id)
    architectures = store.architectures.of_study(study.id)
    samples = store.samples.by_trial(study.id)
    behind = {
        row: {name: each[0] for name, each in found.items()} for row, found in samples.items()
    }
    scores = final_scores(store, store.trials.front(study.id), behind)
    has_base = bool(study.document.get("base")) and bool(trials)
    base = Differences(architectures[trials[0].arch_id].spec) if has_base else None
    return [
        ListedTrial(
            trial=trial,
            difference=base.to(architectures[trial.arch_id].spec) if base else "",
            facts=architectures[trial.arch_id].facts,
            steady=latency.steady if (latency := behind.get(trial.id, {}).get("latency")) else None,
            tests={name: each.value for name, each in scores.get(trial.number, {}).items()},
            over=intervals_over(samples.get(trial.id, {})),
        )
        for trial in trials
    ]


def why_nothing(trials: Sequence[Trial], *, note: str | None) -> str:
    """Why a search has found nothing.

    Args:
        trials: all of the study, of which none is complete.
        note: why it ended before its budget, if it did.
    """
    infeasible = [trial for trial in trials if trial.state is State.INFEASIBLE]
    lines = [note or f"no trial of {len(trials)} gave a result"]
    if infeasible:
        closest = min(infeasible, key=lambda trial: trial.violation)
        lines.append(
            f"{len(infeasible)} of {len(trials)} tried break a constraint; the closest: "
            f"{closest.reason} (trial {closest.number})"
        )
    others = [t for t in trials if t.state not in (State.INFEASIBLE, State.COMPLETE)]
    if others:
        lines.append(f"trial {others[0].number} {others[0].state.value}: {others[0].reason}")
    return "\n".join(lines)
