"""The local runner with a real child process: results, deaths, time limits, orphans."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from archdsl.errors import ArchdslError, DataError, DeviceError, DocumentError, MeasureError
from archdsl.records import Job, Outcome, State
from archdsl.runners.child import NotReadyError
from archdsl.runners.interfaces import Bound, Runner
from archdsl.runners.make import make_runner as runner_of

EVALUATE: Mapping[str, Mapping[str, Any]] = {"latency": {}, "top1": {}}
ROOT = Path(__file__).parents[2]

MakeRunner = Callable[..., Runner]
MakeJob = Callable[..., Job]


@pytest.fixture
def make_runner(toys: Any, make_profile: Any) -> Iterator[MakeRunner]:
    made: list[Runner] = []

    def make(*, evaluate: Any = EVALUATE, bounds: Any = (), of: Any = None, **words: Any) -> Any:
        profile = make_profile(**words)
        runner = runner_of(profile, evaluate=evaluate, bounds=bounds, make=of or toys.make)
        made.append(runner)
        return runner

    yield make
    for runner in made:
        runner.close()


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def pid_of(outcome: Outcome) -> int:
    return int(outcome.measurements[0].detail["pid"])


def test_jobs_run_in_one_child_that_persists(
    make_runner: MakeRunner, make_job: MakeJob, source_of: Any
) -> None:
    runner: Runner = make_runner()
    assert runner.protocols()["latency"] == {"evaluator": "toy/1", "quantity": "latency"}
    source = source_of([make_job(0), make_job(1, top1="two_epochs"), make_job(2)])
    runner.run(source)
    assert [outcome.state for outcome in source.outcomes.values()] == [State.COMPLETE] * 3
    pids = {pid_of(outcome) for outcome in source.outcomes.values()}
    assert len(pids) == 1
    assert os.getpid() not in pids
    assert source.reports == [(1, 1, "top1", 50.0), (1, 2, "top1", 60.0)]
    assert source.measured == [(number, "latency", 1.0) for number in range(3)]
    runner.close()
    assert not alive(pids.pop())


def test_a_job_that_is_stopped_from_outside_leaves_the_child_to_the_next(
    make_runner: MakeRunner, make_job: MakeJob, source_of: Any
) -> None:
    source = source_of([make_job(number, top1="two_epochs") for number in range(3)])
    source.stops = {(0, 1): "after epoch 1: too little", (1, 2): "after epoch 2: too little"}
    make_runner().run(source)
    ends = {number: (o.state, o.reason) for number, o in source.outcomes.items()}
    assert ends == {
        0: (State.STOPPED, "after epoch 1: too little"),
        1: (State.STOPPED, "after epoch 2: too little"),
        2: (State.COMPLETE, None),
    }
    assert [report[:2] for report in source.reports] == [(0, 1), (1, 1), (1, 2), (2, 1), (2, 2)]
    assert len({pid_of(outcome) for outcome in source.outcomes.values()}) == 1


def test_no_worker_goes_on_before_its_report_is_answered(
    make_runner: MakeRunner, make_job: MakeJob, source_of: Any, tmp_path: Path
) -> None:
    source = source_of([make_job(0, top1="noted_epochs")])
    answered = source.on_report
    seen: list[bool] = []

    def slowly(job: Job, name: str, epoch: int, value: float) -> str | None:
        time.sleep(0.3)
        seen.append((tmp_path / f"epoch-{epoch + 1}").exists())
        return cast("str | None", answered(job, name, epoch, value))

    source.on_report = slowly
    make_runner().run(source)
    assert seen == [False, False]
    assert (tmp_path / "epoch-2").exists()
    assert source.outcomes[0].state is State.COMPLETE


@pytest.mark.parametrize(
    ("word", "state", "reason"),
    [
        ("segfault", State.CRASHED, "SIGSEGV"),
        ("kill", State.CRASHED, "SIGKILL"),
        ("exit", State.CRASHED, "exit status 3"),
        ("memory_error", State.OUT_OF_MEMORY, "MemoryError"),
        ("fail", State.FAILED, "TypeError: no such thing"),
        ("nan", State.DIVERGED, "top1 is nan"),
    ],
)
def test_the_end_of_one_candidate_is_not_the_end_of_the_next(
    *,
    make_runner: MakeRunner,
    make_job: MakeJob,
    source_of: Any,
    word: str,
    state: State,
    reason: str,
) -> None:
    source = source_of([make_job(0), make_job(1, top1=word), make_job(2)])
    make_runner().run(source)
    ended = source.outcomes[1]
    assert ended.state is state
    assert reason in ended.reason
    assert source.outcomes[2].state is State.COMPLETE
    same = pid_of(source.outcomes[0]) == pid_of(source.outcomes[2])
    assert same == (state in (State.FAILED, State.DIVERGED)), "a fresh child after a death only"


def test_a_death_is_noticed_though_a_helper_keeps_the_pipe_open(
    make_runner: MakeRunner, make_job: MakeJob, source_of: Any, tmp_path: Path
) -> None:
    source = source_of([make_job(0, top1="orphaned_helper")])
    make_runner().run(source)
    assert source.outcomes[0].state is State.CRASHED
    helper = int((tmp_path / "helper").read_text())
    assert wait_until(lambda: not alive(helper))


def test_the_time_limit_ends_the_child_and_all_it_started(
    make_runner: MakeRunner, make_job: MakeJob, source_of: Any, tmp_path: Path
) -> None:
    source = source_of([make_job(0, top1="sleep"), make_job(1)])
    started = time.monotonic()
    make_runner(time_limit="1.5s").run(source)
    timed_out = source.outcomes[0]
    assert timed_out.state is State.TIMED_OUT
    assert timed_out.reason == "not done within the run profile's time_limit of 1.5 s"
    assert 1.5 <= timed_out.seconds < 5
    assert time.monotonic() - started < 15
    assert source.outcomes[1].state is State.COMPLETE
    child, helper = map(int, (tmp_path / "asleep").read_text().split())
    assert wait_until(lambda: not alive(child) and not alive(helper))


def test_bounds_reach_the_child(make_runner: MakeRunner, make_job: MakeJob, source_of: Any) -> None:
    source = source_of([make_job(0, latency=12.0, top1="kill")])
    make_runner(bounds=[Bound(quantity="latency", operator="<=", limit=10)]).run(source)
    outcome = source.outcomes[0]
    assert (outcome.state, outcome.violation) == (State.INFEASIBLE, pytest.approx(0.2))


def test_a_child_prints_nothing_to_standard_output(
    make_runner: MakeRunner, make_job: MakeJob, source_of: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    source = source_of([make_job(0, top1="chatter")])
    make_runner().run(source)
    assert source.outcomes[0].state is State.COMPLETE
    assert capfd.readouterr().out == ""


def test_a_child_leaves_ctrl_c_to_its_parent(
    make_runner: MakeRunner, make_job: MakeJob, source_of: Any
) -> None:
    source = source_of([make_job(0, top1="stubborn")])
    make_runner().run(source)
    assert source.outcomes[0].state is State.COMPLETE


def test_scores_of_one_quantity_know_no_bounds(make_runner: MakeRunner, make_job: MakeJob) -> None:
    runner = make_runner(bounds=[Bound(quantity="top1", operator=">=", limit=99)])
    jobs = [make_job(0, latency="kill", top1=70.0), make_job(1, top1="kill_once")]
    scored = list(runner.score([*jobs, make_job(2, top1="kill")], "top1"))
    assert [job.number for job, _ in scored] == [0, 1, 2]
    assert [outcome.measurements[0].value for _, outcome in scored[:2]] == [70.0, 1.0]
    assert scored[2][1].state is State.CRASHED
    with pytest.raises(MeasureError, match="cannot measure test_top1; it measures: latency, top1"):
        next(runner.score(jobs, "test_top1"))


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("make_no_data", DataError, "no such folder"),
        ("make_bad_document", DocumentError, "a.yaml: 1 problem\n  2:3  x  bad"),
        ("make_a_mess", NotReadyError, "exit status 1"),
        ("make_nothing", NotReadyError, "exit status 7"),
    ],
)
def test_an_error_of_the_preparation_is_raised_here(
    make_runner: MakeRunner, toys: Any, name: str, kind: type[ArchdslError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        make_runner(of=getattr(toys, name)).protocols()
    assert type(caught.value) is kind
    assert message in str(caught.value)


def test_a_worker_that_is_killed_while_it_is_made_ready_is_made_once_more(
    make_runner: MakeRunner, toys: Any, make_job: MakeJob, source_of: Any
) -> None:
    source = source_of([make_job(0)])
    make_runner(of=toys.make_killed_once).run(source)
    assert source.outcomes[0].state is State.COMPLETE


def test_an_error_of_the_source_ends_the_child(
    make_runner: MakeRunner, make_job: MakeJob, source_of: Any
) -> None:
    def full(job: Job, name: str, epoch: int, value: float) -> None:
        raise OSError("disk full")

    runner = make_runner()
    failing = source_of([make_job(0, top1="two_epochs")])
    failing.on_report = full
    with pytest.raises(OSError, match="disk full"):
        runner.run(failing)
    source = source_of([make_job(1)])
    runner.run(source)
    assert source.outcomes[1].state is State.COMPLETE, "no answer of the other job is taken"


PROGRAM = """
import sys
from archdsl.records import Job
from archdsl.runners.make import make_runner
from archdsl.runners.profile import RunProfile
import archdsl_toys

class Source:
    jobs = [Job(trial_id=1, number=0, arch_id="a", spec={}, params={"top1": "sleep"}, known=(),
                folder=sys.argv[1])]
    def next_job(self):
        return self.jobs.pop() if self.jobs else None
    def on_measurement(self, job, measurement):
        pass
    def on_report(self, job, name, epoch, value):
        pass

profile = RunProfile(archdsl=1, kind="runner", name="t", executor="local")
make_runner(profile, evaluate={"top1": {}}, make=archdsl_toys.make).run(Source())
"""


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_death_of_the_parent_leaves_no_orphan(
    toys: Any, tmp_path: Path, ending: signal.Signals
) -> None:
    """The program has no main guard and never closes its runner: neither may matter."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    paths = os.pathsep.join([str(ROOT), str(tmp_path / "modules")])
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": paths},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with parent:
        assert wait_until((tmp_path / "asleep").exists)
        child, helper = map(int, (tmp_path / "asleep").read_text().split())
        assert alive(child) and alive(helper)
        os.killpg(parent.pid, ending)
        assert parent.wait(timeout=60) == -ending
        assert wait_until(lambda: not alive(child) and not alive(helper), seconds=20)


def table_profile_evaluate(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    rows = "".join(f"arch{i},{i + 1},{70 + i},{60 + i},{100 * i}\n" for i in range(3))
    path = folder / "values.csv"
    path.write_text("arch_id,latency,top1,test_top1,seconds\n" + rows)
    return {"top1": {"table": str(path)}, "latency": {"table": str(path)}}


def test_tables_run_here_in_virtual_time(
    make_job: MakeJob, make_profile: Any, source_of: Any, tmp_path: Path
) -> None:
    runner = runner_of(
        make_profile(),
        evaluate=table_profile_evaluate(tmp_path),
        bounds=[Bound(quantity="latency", operator="<=", limit=2)],
    )
    source = source_of([make_job(number) for number in (1, 2, 3)])
    before = psutil.Process().children()
    runner.run(source)
    assert psutil.Process().children() == before
    complete, infeasible, absent = source.outcomes.values()
    assert [m.value for m in complete.measurements] == [2, 71]
    assert complete.seconds == 100
    assert (infeasible.state, infeasible.seconds) == (State.INFEASIBLE, 0), "never trained"
    assert absent.state is State.FAILED
    assert "no row for arch_id arch3" in absent.reason
    ((_, final),) = runner.score([make_job(1)], "test_top1")
    assert final.measurements[0].value == 61


def test_tables_cost_microseconds(
    make_job: MakeJob, make_profile: Any, source_of: Any, tmp_path: Path
) -> None:
    runner = runner_of(make_profile(), evaluate=table_profile_evaluate(tmp_path))
    runner.protocols()
    jobs = [make_job(1) for _ in range(2000)]
    source = source_of(jobs)
    source.on_outcome = lambda job, outcome: None
    started = time.process_time()
    runner.run(source)
    assert (time.process_time() - started) / len(jobs) < 500e-6


SPEC = {
    "archdsl": 1,
    "name": "tiny",
    "image": {"size": 8, "channels": 1},
    "depth": 1,
    "process": {
        "embed": {"type": "patch", "patch_size": 4},
        "dim": 16,
        "block": {"type": "transformer", "head_dim": 8, "mlp_ratio": 2},
    },
    "output": {"task": "classify", "num_classes": 10},
}


@pytest.mark.slow
def test_a_real_candidate_is_measured_trained_and_scored(
    make_profile: Any, source_of: Any, tmp_path: Path
) -> None:
    runner = runner_of(
        make_profile(data={"scans": "digits"}),
        evaluate={
            "latency": {"device": "cpu", "batch": 8, "precision": 0.2, "max_seconds": 1.0},
            "top1": {"data": "scans", "recipe": "small-images", "epochs": 2},
        },
    )
    job = Job(trial_id=1, number=0, arch_id="a", spec=SPEC, params={}, known=(), folder="unused")
    source = source_of([job])
    try:
        runner.run(source)
        protocols = runner.protocols()
        ((_, final),) = runner.score([job], "test_top1")
    finally:
        runner.close()
    outcome = source.outcomes[0]
    assert outcome.state is State.COMPLETE, outcome.reason
    latency, top1 = outcome.measurements
    assert latency.protocol == protocols["latency"]
    assert top1.protocol == protocols["top1"]
    assert top1.value > 15, "better than chance"
    assert source.reports == [
        (0, 1, "top1", pytest.approx(top1.detail["history"][0][0])),
        (0, 2, "top1", pytest.approx(top1.value)),
    ]
    assert final.measurements[0].quantity == "test_top1"
    assert abs(final.measurements[0].value - top1.value) < 25


@pytest.mark.slow
def test_a_device_that_is_not_there_is_told_by_the_child(make_profile: Any) -> None:
    runner = runner_of(make_profile(), evaluate={"latency": {"device": "Z9000", "batch": 8}})
    with pytest.raises(DeviceError, match="no device 'Z9000' here; there is: cpu"):
        runner.protocols()
