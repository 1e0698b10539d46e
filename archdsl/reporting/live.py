"""A search while it runs, followed through the database alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from archdsl.analysis.time_at_work import INTERRUPTED_SECONDS, seconds_at_work
from archdsl.records import State
from archdsl.store.rows import EndedTrial, RunningTrial, StudyRow, StudySnapshot, Trial, TrialCounts
from archdsl.store.store import Store

PACE_TRIALS = 20
"""The time left is estimated from so many trials that ended last."""
KEPT_FAILURES = 3
_NO_FAILURE = (State.RUNNING, State.COMPLETE, State.INFEASIBLE, State.STOPPED)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A search at one moment.

    Args:
        study: its row, with the budget of this moment.
        counts: of all its trials.
        running: what runs now, by number.
        ended: the trials that ended since the last look, in commit order.
        front: the members so far, by number.
        failures: the last trials that ended in an error, latest last.
        done: trials that have used up budget.
        over: whether nothing runs any more and no search would go on: see `StudySnapshot.over`.
        seconds_left: estimate; None before a trial has ended, and where no search is at work.
    """

    study: StudyRow
    counts: TrialCounts
    running: tuple[RunningTrial, ...]
    ended: tuple[EndedTrial, ...]
    front: tuple[Trial, ...]
    failures: tuple[EndedTrial, ...]
    done: int
    over: bool
    seconds_left: float | None


class Follower:
    """Looks at one study again and again; reads only what has been added since the last look.

    Args:
        study_id: its row.
    """

    def __init__(self, *, study_id: int) -> None:
        self._study_id = study_id
        self._forget()

    def _forget(self) -> None:
        self._rows = self._last = 0
        self._front: tuple[Trial, ...] = ()
        self._failures: deque[EndedTrial] = deque(maxlen=KEPT_FAILURES)
        self._paid: deque[EndedTrial] = deque(maxlen=PACE_TRIALS)

    def look(self, store: Store) -> Snapshot:
        """The study now; short transactions that read only.

        Raises:
            StoreError: the database cannot be read.
        """
        if not self._rows:
            store.refuse_damaged(study_id=self._study_id)
        now = store.snapshots.take(self._study_id, after=self._last)
        if sum(now.counts.states.values()) < self._rows:  # the database was made anew
            self._forget()
            now = store.snapshots.take(self._study_id)
        self._rows = sum(now.counts.states.values())
        # The front takes longest to read, and only a complete trial changes it.
        if any(trial.state is State.COMPLETE for trial in now.ended):
            self._front = tuple(store.trials.front(self._study_id))
        for trial in now.ended:
            self._last = trial.finish_order
            if trial.counted:
                self._paid.append(trial)
            if trial.state not in _NO_FAILURE:
                self._failures.append(trial)
        return Snapshot(
            study=now.study,
            counts=now.counts,
            running=now.running,
            ended=now.ended,
            front=self._front,
            failures=tuple(self._failures),
            done=now.done,
            over=now.over,
            seconds_left=self._seconds_left(now),
        )

    def _seconds_left(self, now: StudySnapshot) -> float | None:
        left_alone = bool(now.running) and not any(trial.alive for trial in now.running)
        if now.study.budget is None or now.over or left_alone:
            return None
        return seconds_left(
            self._paid,
            left=now.study.budget - now.done,
            running=bool(now.running),
            now=datetime.now(UTC),
        )


def seconds_left(
    paid: Sequence[EndedTrial], *, left: int, running: bool, now: datetime
) -> float | None:
    """An estimate of the time that `left` trials take.

    The time during which at least one of the trials `paid` was at work, divided by their number,
    is what a trial took: however many run side by side, and without the hours between two runs of
    a search. What has passed since the last one ended is taken off, up to one trial's time.

    Args:
        paid: trials that have ended, those of which the pace is taken.
        left: trials until the budget is spent.
        running: whether any trial runs now; where none does for a minute, the search has ended.
        now: the time of the estimate.
    """
    if not paid or left <= 0:
        return None
    pace = seconds_at_work(paid) / len(paid)
    latest = max(datetime.fromisoformat(trial.finished) for trial in paid)
    since = (now - latest).total_seconds()
    if not running and since > INTERRUPTED_SECONDS:
        return None
    return pace * left - min(max(since, 0.0), pace)
