"""A whole search: study and store brought together, the loop run, the front's members scored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import Any

from archdsl.document.messages import counted
from archdsl.errors import SpaceExhaustedError, StudyError
from archdsl.metrics import on_test_images, trained_metrics
from archdsl.plan.read import Checked, check_model
from archdsl.records import State
from archdsl.runners.interfaces import Runner
from archdsl.runners.profile import RunProfile
from archdsl.searching.baselines import measure_baselines
from archdsl.searching.before import baselines_of, check_runs, refuse_others, runner_of
from archdsl.searching.final_score import final_score
from archdsl.searching.loop import Observer, Search, budget_seconds_left, job_of
from archdsl.searching.read import CheckedStudy
from archdsl.searching.retry import BaseFailedError, elsewhere, undo, ways_on
from archdsl.searching.samplers import Sampler
from archdsl.searching.stored import refuse_damaged, why_nothing
from archdsl.searching.study import Budget, Study
from archdsl.store.location import is_new_file
from archdsl.store.owner import Owner
from archdsl.store.rows import StudyRow, Trial
from archdsl.store.store import Store, open_store


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """What a search has come to.

    Args:
        row: the study in the store.
        ran: trials this call evaluated; 0 when the budget was spent before.
        note: why it ended before its budget, if it did.
    """

    row: StudyRow
    ran: int
    note: str | None

    def __repr__(self) -> str:
        note = f"; {self.note}" if self.note else ""
        return (
            f"<SearchResult of {self.row.name!r}: {counted(self.ran, 'trial')} by this call{note}>"
        )


def begun(checked: CheckedStudy, store: Store) -> StudyRow | None:
    """The study's row in the store, if there is one.

    Raises:
        StudyChangedError: another study of this name is there.
    """
    known = {row.name for row in store.studies.all()}
    return _begin(checked, store, budget=None) if checked.study.name in known else None


def _begin(checked: CheckedStudy, store: Store, *, budget: Budget | None) -> StudyRow:
    """The study's row, made when new. A base that was edited makes another study, too."""
    study = checked.study
    bases = {label: _content(check_model(tree)) for label, tree in checked.space.bases.items()}
    baselines = [each.document() for each in baselines_of(checked)]
    return store.studies.ensure(
        name=study.name,
        document={
            **study.identity(),
            "bases": bases,
            **({"baselines": baselines} if baselines else {}),
        },
        objectives=dict(study.objectives),
        goes_on=budget is not None,
        budget=budget.trials if budget else None,
    )


def _content(model: Checked) -> dict[str, Any]:
    return {key: value for key, value in model.spec.document().items() if key != "name"}


Observe = Callable[[Store | None], AbstractContextManager[Observer | None]]
"""Opens whoever watches a search of a store: of None while it is found out whether the study can
run at all, before there is a database."""


def watched_by(observer: Observer | None) -> Observe:
    """An observer that need not be opened."""
    return lambda _: nullcontext(observer)


def run_search(
    checked: CheckedStudy,
    *,
    db: str,
    profile: RunProfile,
    observe: Observe = lambda _: nullcontext(),
    any_device: bool = False,
    sampler: Sampler | None = None,
    retry: Collection[State] = (),
) -> SearchResult:
    """Search until the budget of the study is spent, then score the front on test images.

    While other processes still work on trials of the study, the scoring is left to the last one.
    The database is made where there is none; a study that cannot run leaves none behind.

    Args:
        checked: the study.
        db: path or URL.
        profile: where candidates run.
        observe: opens whoever is told of every step.
        any_device: measure latency on whatever device is here, instead of only the one asked for.
        sampler: proposes candidates, in place of the one that the study names.
        retry: ends of trials that are tried again: some of `RETRIABLE`.

    Raises:
        BaseFailedError: the base cannot be evaluated here.
        StudyError: the study cannot go on as it is.
        SpaceExhaustedError: no candidate keeps the constraints.
        ArchdslError: data or devices that are not there, a store that cannot be written.
    """
    with closing(runner_of(checked, profile, any_device=any_device)) as runner:
        if is_new_file(db):
            with observe(None):
                check_runs(checked, runner)
        with open_store(db) as store, observe(store) as observer, _alone(checked.study.name, store):
            return _search(
                runner,
                checked,
                store=store,
                profile=profile,
                observer=observer,
                sampler=sampler,
                retry=retry,
            )


_LOG = logging.getLogger(__name__)
_UNDER_WAY: set[tuple[str, str]] = set()
"""Study and database of the searches of this process."""
_ASKING = Lock()


@contextmanager
def _alone(study: str, store: Store) -> Iterator[None]:
    """One process searches a study once at a time: claims that it holds before are nobody's.

    Raises:
        StudyError: it does so already.
    """
    key = (study, store.place)
    with _ASKING:
        if key in _UNDER_WAY:
            raise StudyError(
                f"the study '{study}' in {store.place} is being searched in this process already; "
                "wait for that search, stop it, or run the second one in a process of its own"
            )
        _UNDER_WAY.add(key)
    try:
        yield
    finally:
        _UNDER_WAY.remove(key)


def _search(
    runner: Runner,
    checked: CheckedStudy,
    *,
    store: Store,
    profile: RunProfile,
    observer: Observer | None,
    sampler: Sampler | None,
    retry: Collection[State],
) -> SearchResult:
    study, row = checked.study, begun(checked, store)
    ran, note = 0, None
    if row is not None:
        refuse_damaged(store, row)
    if row is None or retry or work_left(study, row, store):
        # A study that cannot run leaves nothing behind, so that its document can be mended.
        protocols, said = check_runs(checked, runner)
        for sentence in said:
            _LOG.warning("%s", sentence)
        row = _begin(checked, store, budget=study.budget)
        refuse_others(row, store, protocols)
        owner = Owner.current()
        store.claims.give_back_all(study_id=row.id, owner=owner)
        again = store.retries.begin(row.id, retry, owner=owner) if retry else None
        search = Search(
            checked=checked,
            row=row,
            store=store,
            owner=owner,
            budget=study.budget,
            protocols=protocols,
            folder=profile.storage,
            observer=observer,
            sampler=sampler,
            profile=profile.place(),
        )
        try:
            runner.run(search)
        except BaseException as error:
            try:
                runner.close()  # whoever goes on with a trial must not meet our worker there
            finally:
                search.give_back()
            if isinstance(error, BaseFailedError):
                undo(row, store, owner)
            raise
        ran, note = search.ended, search.exhausted
        if note is not None:
            store.studies.end(row.id, note)
        if again == 0:
            note = _lines(note, f"no trial had ended as {' or '.join(retry)}: none was tried again")
    # Test images are for the members of a finished front: the last process scores them.
    last = not store.trials.count(row.id).states[State.RUNNING]
    members = store.trials.front(row.id)
    trials = store.trials.all(row.id)
    other_profile = elsewhere(trials, profile.place())
    if last and not members:
        found = why_nothing(trials, note=note)
        raise SpaceExhaustedError(_lines(found, other_profile or ways_on(trials)) or found)
    if last:
        evaluated = trained_metrics(study.evaluate.given())
        _score(members, evaluated, runner, store=store, row=row, folder=profile.storage)
        measure_baselines(checked, runner, store=store, row=row, folder=profile.storage)
    if not last and note is None:
        runner.close()  # which may take longer than the trials of the others
        note = _left_to_others(store.trials.count(row.id).states[State.RUNNING])
    return SearchResult(row=row, ran=ran, note=_lines(note, other_profile))


def _lines(*said: str | None) -> str | None:
    return "\n".join(filter(None, said)) or None


def work_left(study: Study, row: StudyRow, store: Store) -> bool:
    """Whether trials are missing or unfinished."""
    count, budget = store.trials.count(row.id), study.budget
    spent = budget.trials is not None and count.counted >= budget.trials
    if count.states.get(State.RUNNING) or spent:
        return bool(count.states.get(State.RUNNING))
    return budget_seconds_left(budget, row, store) > 0


def _score(
    members: list[Trial],
    metrics: list[str],
    runner: Runner,
    *,
    store: Store,
    row: StudyRow,
    folder: str,
) -> None:
    """Test scores of the members that have none yet: test images are seen only here."""
    scores = {member.number: final_score(store, member) for member in members if metrics}
    for final in map(on_test_images, metrics):
        missing = [member for member in members if final not in scores[member.number]]
        # Before the runner is asked anything, which may start a process.
        if not missing or final not in runner.protocols():
            continue
        jobs = [
            job_of(member, store.architectures.find(member.arch_id), row, known=(), folder=folder)
            for member in missing
        ]
        for job, outcome in runner.score(jobs, final):
            for measurement in outcome.measurements:
                store.measurements.record(job.arch_id, measurement)


def _left_to_others(running: int) -> str:
    if not running:
        return "another process had the last trial, and scores the front"
    trials = "1 trial is" if running == 1 else f"{running} trials are"
    return f"{trials} still at work in another process; the same search later scores the front"
