"""A dead owner's trial is taken over; a living one's never; a hopeless one is given up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from archdsl.records import Outcome, State
from archdsl.store.errors import StaleClaimError
from archdsl.store.owner import Owner, is_alive, shares_kernel
from archdsl.store.rows import StudyRow, Trial
from archdsl.store.store import Store

Add = Callable[..., Trial]

HOLDER = """
import sys
from archdsl.store.owner import Owner
from archdsl.store.rows import Architecture, NewTrial
from archdsl.store.store import open_store
store = open_store(sys.argv[1])
trial = store.trials.add(
    NewTrial(architecture=Architecture(arch_id=sys.argv[3])),
    study_id=int(sys.argv[2]), budget=None, owner=Owner.current(),
)
store.epochs.report(trial_id=trial.id, token=trial.token, epoch=1, name="top1", value=1.0)
print(trial.token, flush=True)
sys.stdin.read()
"""


def _holder(url: str, study: StudyRow, arch_id: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, url, str(study.id), arch_id],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def dead() -> Owner:
    """A process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    stat = Path(f"/proc/{child.pid}/stat")
    start = stat.read_text().rpartition(")")[2].split()[19] if stat.exists() else "gone"
    child.communicate(b"\n")
    return replace(Owner.current(), pid=child.pid, process_start=start)


def test_a_killed_process_is_taken_over_a_living_one_is_not(
    url: str, store: Store, study: StudyRow
) -> None:
    with _holder(url, study, "aa") as first, _holder(url, study, "bb") as second:
        assert first.stdout is not None
        assert second.stdout is not None
        old_token = first.stdout.readline().strip()
        second.stdout.readline()
        assert [claim.alive for claim in store.claims.of_study(study.id)] == [True, True]
        assert store.trials.take_over(study_id=study.id, owner=Owner.current()) is None

        os.kill(first.pid, signal.SIGKILL)
        os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)  # dead, but still a zombie
        taken = store.trials.take_over(study_id=study.id, owner=Owner.current())
        assert taken is not None
        assert taken.arch_id == "aa"
        assert taken.state is State.RUNNING
        assert taken.token not in (None, old_token)
        # Now it is ours, and we live.
        assert store.trials.take_over(study_id=study.id, owner=Owner.current()) is None
        second.kill()

    failed = Outcome(state=State.FAILED, reason="x")
    with pytest.raises(StaleClaimError, match="taken over by process"):
        store.trials.finish(trial_id=taken.id, token=old_token, outcome=failed, values={})
    store.trials.finish(trial_id=taken.id, token=taken.token or "", outcome=failed, values={})
    assert store.trials.get(study.id, taken.number).state is State.FAILED


def test_the_lowest_number_comes_first(
    store: Store, study: StudyRow, add: Add, dead: Owner
) -> None:
    add("aa")
    for arch_id in ("bb", "cc"):
        add(arch_id, owner=dead)
    taken = [store.trials.take_over(study_id=study.id, owner=Owner.current()) for _ in range(3)]
    assert [trial and trial.arch_id for trial in taken] == ["bb", "cc", None]


def test_three_claims_without_a_new_epoch_end_a_trial(
    store: Store, study: StudyRow, add: Add, dead: Owner
) -> None:
    add("aa", owner=dead)
    add("bb", owner=dead)
    for _ in range(2):
        taken = store.trials.take_over(study_id=study.id, owner=dead)
        assert taken is not None
        assert taken.arch_id == "aa"
    taken = store.trials.take_over(study_id=study.id, owner=Owner.current())
    assert taken is not None
    assert taken.arch_id == "bb"  # it looked further
    crashed = store.trials.get(study.id, 0)
    assert crashed.state is State.CRASHED
    assert crashed.finish_order == 1
    assert crashed.reason is not None
    assert "died 3 times without a new checkpoint" in crashed.reason
    assert [claim.number for claim in store.claims.of_study(study.id)] == [1]


def test_a_new_epoch_starts_the_count_anew(
    store: Store, study: StudyRow, add: Add, dead: Owner
) -> None:
    trial = add("aa", owner=dead)
    for epoch in (1, 1, 2, 3, 3, 4):
        store.epochs.report(
            trial_id=trial.id, token=trial.token or "", epoch=epoch, name="top1", value=1.0
        )
        taken = store.trials.take_over(study_id=study.id, owner=dead)
        assert taken is not None
        trial = taken
    assert store.claims.of_study(study.id)[0].fruitless == 1
    assert store.claims.of_study(study.id)[0].epochs == 4


def test_claims_given_back_are_not_held_against_a_trial(
    store: Store, study: StudyRow, add: Add, dead: Owner
) -> None:
    trial = add("aa", owner=dead)
    for _ in range(5):
        store.claims.give_back(trial_id=trial.id, token=trial.token or "")
        taken = store.trials.take_over(study_id=study.id, owner=dead)
        assert taken is not None
        trial = taken
    assert store.claims.of_study(study.id)[0].fruitless == 1
    with pytest.raises(StaleClaimError, match="taken over"):
        store.claims.give_back(trial_id=trial.id, token="another")


def test_a_machine_that_went_down_is_not_held_against_a_trial(
    store: Store, study: StudyRow, add: Add
) -> None:
    add("aa", owner=replace(Owner.current(), boot_id="boot 0"))
    for boot in range(1, 6):
        taken = store.trials.take_over(
            study_id=study.id, owner=replace(Owner.current(), boot_id=f"boot {boot}")
        )
        assert taken is not None
    assert store.claims.of_study(study.id)[0].fruitless == 1


def test_an_owner_is_known_by_more_than_its_number(dead: Owner) -> None:
    me = Owner.current()
    for elsewhere in (_yes, _no):
        assert is_alive(me, elsewhere=elsewhere)
        assert not is_alive(dead, elsewhere=elsewhere)
        # The same number, started at another time: a later process that reuses it.
        assert not is_alive(replace(me, process_start="1"), elsewhere=elsewhere)


def test_owners_on_other_machines_and_before_a_reboot() -> None:
    me = Owner.current()
    rebooted = replace(me, boot_id="another-boot")
    assert not is_alive(rebooted, elsewhere=_yes)
    foreign = replace(me, host="elsewhere.example", boot_id="another-boot")
    assert is_alive(foreign, elsewhere=_yes)
    assert not is_alive(foreign, elsewhere=_no)
    # A file on this machine's own disk is used by no other machine.
    assert not is_alive(foreign, elsewhere=shares_kernel)


@pytest.mark.skipif(not Owner.current().boot_id, reason="this system has no boot identity")
def test_another_container_under_this_kernel_is_left_alone() -> None:
    container = replace(Owner.current(), host="container", pid=1)
    assert is_alive(container, elsewhere=shares_kernel)


def _yes(_: Owner) -> bool:
    return True


def _no(_: Owner) -> bool:
    return False
