"""On a server it is known of processes on other machines, too, whether they still run."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
from sqlalchemy import Connection, create_engine

from archdsl.records import State
from archdsl.store import liveness
from archdsl.store.errors import StaleClaimError
from archdsl.store.owner import Owner
from archdsl.store.rows import Architecture, NewTrial, StudyRow, Trial
from archdsl.store.store import Store, open_store

pytestmark = pytest.mark.process

OBJECTIVES = {"top1": "maximize"}
ELSEWHERE = replace(Owner.current(), host="elsewhere.example")
"""This process as one on another machine."""

HOLDER = """
import socket, sys
socket.gethostname = lambda: "elsewhere.example"
from archdsl.store.owner import Owner
from archdsl.store.rows import Architecture, NewTrial
from archdsl.store.store import open_store
store = open_store(sys.argv[1])
trial = store.trials.add(
    NewTrial(architecture=Architecture(arch_id="aa")),
    study_id=int(sys.argv[2]), budget=None, owner=Owner.current(),
)
print(trial.token, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def long_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server was not started just now."""
    monkeypatch.setattr(liveness, "_RETURN_SECONDS", 0.0)


@pytest.fixture
def here(postgres: str, long_up: None) -> Iterator[Store]:
    with open_store(postgres) as store:
        yield store


@pytest.fixture
def study(here: Store) -> StudyRow:
    return here.studies.ensure(name="s", document={}, objectives=OBJECTIVES)


@pytest.fixture
def there(postgres: str, study: StudyRow) -> Iterator[Store]:
    """The database as another machine has it open."""
    with open_store(postgres) as store:
        yield store


@pytest.fixture
def admin(postgres: str) -> Iterator[Connection]:
    engine = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _claim(store: Store, study: StudyRow, arch_id: str, owner: Owner = ELSEWHERE) -> Trial:
    trial = store.trials.add(
        NewTrial(architecture=Architecture(arch_id=arch_id)),
        study_id=study.id,
        budget=None,
        owner=owner,
    )
    assert trial is not None
    return trial


def _alive(store: Store, study: StudyRow) -> list[bool]:
    return [claim.alive for claim in store.claims.of_study(study.id)]


def _soon(holds: Callable[[], object]) -> None:
    """A server needs a moment to see that a process died."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _sessions(admin: Connection) -> list[int]:
    """The server's processes by which `ELSEWHERE` is present."""
    found = admin.exec_driver_sql(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock'"
        " AND (classid::bigint << 32 | objid::bigint) ="
        f" hashtextextended(current_schema() || ' {liveness._name(ELSEWHERE)}', 0)"
    )
    return list(found.scalars())


def _end_presence(admin: Connection, study: StudyRow, here: Store) -> None:
    """End the session as a server does that is started anew."""
    (session,) = _sessions(admin)
    admin.exec_driver_sql(f"SELECT pg_terminate_backend({session})")
    _soon(lambda: not any(_alive(here, study)))


def test_a_process_on_another_machine_is_taken_over_when_it_is_gone(
    here: Store, study: StudyRow, postgres: str
) -> None:
    command = [sys.executable, "-c", HOLDER, postgres, str(study.id)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        old_token = holder.stdout.readline().strip()
        (claim,) = here.claims.of_study(study.id)
        assert claim.owner.host == "elsewhere.example"
        assert claim.alive
        assert here.trials.take_over(study_id=study.id, owner=Owner.current()) is None

        holder.kill()
        _soon(lambda: _alive(here, study) == [False])
        taken = here.trials.take_over(study_id=study.id, owner=Owner.current())
    assert taken is not None
    assert taken.arch_id == "aa"
    assert taken.state is State.RUNNING
    (claim,) = here.claims.of_study(study.id)
    assert claim.alive
    assert claim.fruitless == 2, "why the process was gone is not known"
    with pytest.raises(StaleClaimError, match="taken over by process"):
        here.claims.give_back(trial_id=taken.id, token=old_token)


def test_a_store_that_is_closed_leaves_its_trials(
    here: Store, study: StudyRow, postgres: str
) -> None:
    with open_store(postgres) as first:
        _claim(first, study, "aa")
        with open_store(postgres) as second:
            _claim(second, study, "bb")
        assert _alive(here, study) == [True, True], "one session is enough to be seen"
    _soon(lambda: _alive(here, study) == [False, False])


def test_one_session_lasts(there: Store, study: StudyRow, admin: Connection) -> None:
    _claim(there, study, "aa")
    sessions = _sessions(admin)
    assert len(sessions) == 1
    _claim(there, study, "bb")
    there.studies.ensure(name="t", document={}, objectives=OBJECTIVES)
    assert _sessions(admin) == sessions


def test_a_session_that_was_ended_is_made_anew_by_the_next_claim(
    here: Store, there: Store, study: StudyRow, admin: Connection
) -> None:
    _claim(there, study, "aa")
    for arch_id in ("bb", "cc"):
        _end_presence(admin, study, here)
        _claim(there, study, arch_id)
        assert all(_alive(here, study))
    assert here.trials.take_over(study_id=study.id, owner=Owner.current()) is None


def test_a_session_that_was_ended_is_made_anew_by_the_next_commit(
    here: Store, there: Store, study: StudyRow, admin: Connection
) -> None:
    trial = _claim(there, study, "aa")
    _end_presence(admin, study, here)
    there.epochs.report(trial_id=trial.id, token=trial.token or "", epoch=1, name="top1", value=1.0)
    assert _alive(here, study) == [True]


def test_taking_over_is_a_claim(here: Store, there: Store, study: StudyRow, postgres: str) -> None:
    with open_store(postgres) as lost:
        _claim(lost, study, "aa", owner=replace(ELSEWHERE, host="lost.example"))
    _soon(lambda: there.trials.take_over(study_id=study.id, owner=ELSEWHERE))
    assert _alive(here, study) == [True]


def test_after_a_start_of_the_server_its_absent_are_waited_for(
    here: Store, there: Store, study: StudyRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    _claim(there, study, "aa")
    there.close()
    _soon(lambda: _alive(here, study) == [False])
    monkeypatch.setattr(liveness, "_RETURN_SECONDS", 1e9)
    assert _alive(here, study) == [True]
    assert here.trials.take_over(study_id=study.id, owner=Owner.current()) is None


def test_present_in_another_schema_is_not_present_here(
    here: Store,
    there: Store,
    study: StudyRow,
    postgres_schema: Callable[[], AbstractContextManager[str]],
) -> None:
    _claim(there, study, "aa")
    with postgres_schema() as url, open_store(url) as other:
        _claim(other, other.studies.ensure(name="s", document={}, objectives=OBJECTIVES), "aa")
        there.close()
        _soon(lambda: _alive(here, study) == [False])
