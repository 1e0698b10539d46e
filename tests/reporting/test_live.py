"""A search followed through its database: what is new, what is left, for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archdsl.records import Measurement, Outcome, State
from archdsl.reporting.live import Follower, seconds_left
from archdsl.store.owner import Owner
from archdsl.store.rows import Architecture, EndedTrial, NewTrial
from archdsl.store.store import Store, open_store

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)


def ended(start: float, end: float, *, seconds: float | None = None) -> EndedTrial:
    """A trial from `start` to `end`, in seconds after noon."""
    return EndedTrial(
        number=0,
        state=State.COMPLETE,
        counted=True,
        reason=None,
        seconds=end - start if seconds is None else seconds,
        finish_order=1,
        started=(NOON + timedelta(seconds=start)).isoformat(),
        finished=(NOON + timedelta(seconds=end)).isoformat(),
        values={},
    )


def left(*paid: EndedTrial, at: float, running: bool = True, trials: int = 10) -> float | None:
    return seconds_left(paid, left=trials, running=running, now=NOON + timedelta(seconds=at))


def test_the_time_left_is_the_pace_times_what_is_left() -> None:
    assert left(ended(0, 10), ended(10, 30), at=30) == pytest.approx(150)
    assert left(ended(0, 10), ended(10, 30), at=34) == pytest.approx(146), "it counts down"
    assert left(ended(0, 10), ended(10, 30), at=900) == pytest.approx(135), "one trial at most"


def test_trials_side_by_side_take_their_common_time() -> None:
    assert left(ended(0, 20), ended(1, 19), ended(5, 20), ended(6, 12), at=20) == pytest.approx(50)


def test_the_night_between_two_runs_is_no_work() -> None:
    assert left(ended(0, 10), ended(50_000, 50_010), at=50_010) == pytest.approx(100)
    interrupted = ended(5, 50_010, seconds=10)
    assert left(ended(0, 10), interrupted, at=50_010) == pytest.approx(100)


def test_there_is_no_time_left_where_nothing_is_known_or_at_work() -> None:
    assert left(at=0) is None
    assert left(ended(0, 10), at=10, trials=0) is None
    assert left(ended(0, 10), at=12, running=False) is not None, "between two trials"
    assert left(ended(0, 10), at=100, running=False) is None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "archdsl.db"


def finish(store: Store, study_id: int, latency: float, *, state: State = State.COMPLETE) -> None:
    """Add a trial and end it."""
    new = NewTrial(architecture=Architecture(arch_id=f"{latency}"))
    trial = store.trials.add(new, study_id=study_id, budget=None, owner=Owner.current())
    assert trial is not None
    made = Measurement(
        quantity="latency", value=latency, low=latency, high=latency, unit="ms", protocol={}
    )
    complete = state is State.COMPLETE
    store.trials.finish(
        trial_id=trial.id,
        token=trial.token or "",
        outcome=Outcome(
            state=state, measurements=(made,), reason=None if complete else "why", seconds=0.0
        ),
        values={"latency": made} if complete else {},
    )


def begin(store: Store, *, budget: int | None = 4) -> int:
    return store.studies.ensure(
        name="a", document={"evaluate": {}}, objectives={"latency": "minimize"}, budget=budget
    ).id


def test_a_follower_tells_what_is_new(path: Path) -> None:
    with open_store(str(path)) as store:
        study_id = begin(store)
        follower = Follower(study_id=study_id)
        first = follower.look(store)
        assert (first.done, first.ended, first.front, first.over) == (0, (), (), False)
        finish(store, study_id, 2.0)
        finish(store, study_id, 1.0)
        second = follower.look(store)
        assert [each.number for each in second.ended] == [0, 1]
        assert [each.number for each in second.front] == [1]
        finish(store, study_id, 3.0, state=State.CRASHED)
        third = follower.look(store)
        assert [each.number for each in third.ended] == [2]
        assert [each.number for each in third.failures] == [2]
        assert third.front == second.front
        assert third.seconds_left is not None
        finish(store, study_id, 0.5)
        last = follower.look(store)
        assert last.over
        assert last.seconds_left is None
        assert [each.reason for each in last.failures] == ["why"], "until another one fails"


def test_without_a_known_budget_a_search_is_never_over(path: Path) -> None:
    with open_store(str(path)) as store:
        study_id = begin(store, budget=None)
        finish(store, study_id, 1.0)
        now = Follower(study_id=study_id).look(store)
        assert (now.over, now.seconds_left, now.done) == (False, None, 1)


def test_a_database_made_anew_is_seen_from_its_beginning(path: Path, tmp_path: Path) -> None:
    with open_store(str(path)) as store:
        study_id = begin(store)
        for latency in (3.0, 2.0, 1.0):
            finish(store, study_id, latency)
        follower = Follower(study_id=study_id)
        follower.look(store)
    with open_store(str(tmp_path / "new.db")) as store:
        finish(store, begin(store), 7.0)
        now = follower.look(store)
        assert [each.number for each in now.ended] == [0]
        assert [each.values["latency"].value for each in now.front] == [7.0]
