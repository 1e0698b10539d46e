"""Ends that another place might change: a base's counts nothing, others are tried again."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import archdsl
from archdsl.cli.main import app
from archdsl.errors import StoreError, StudyError
from archdsl.records import Job, Outcome, State
from archdsl.runners import make as runners
from archdsl.searching import before
from archdsl.searching.read import CheckedStudy
from archdsl.searching.retry import BaseFailedError
from archdsl.store.owner import Owner
from archdsl.store.rows import Trial
from archdsl.store.store import open_store

Search = Callable[..., Any]

PLACES = '''
import os, signal, time
from pathlib import Path
from archdsl.records import Measurement

class Place:
    """What becomes of a candidate is said by the file that is named after its depth, if there is
    one."""

    quantity = "latency"

    def protocol(self):
        return {"evaluator": "place/1"}

    def check(self, candidate):
        return ()

    def measure(self, candidate, *, report):
        depth = candidate.spec["depth"]
        with Path("log").open("a") as log:
            print(depth, file=log)
        word = Path(f"depth-{depth}")
        if word.exists():
            getattr(self, word.read_text())()
        return Measurement(quantity="latency", value=depth, low=depth, high=depth, unit="ms",
                           protocol=self.protocol())

    def fail(self):
        raise RuntimeError("no working compiler")

    def fail_last(self):
        while len(Path("log").read_text().split()) < 4:
            time.sleep(0.02)
        self.fail()

    def dawdle(self):
        time.sleep(60)

    def die(self):
        os.kill(os.getpid(), signal.SIGKILL)

def make(evaluate, profile):
    return [Place()]
'''
PROFILE = "archdsl: 1\nkind: runner\nname: {name}\nexecutor: local\n"


@pytest.fixture
def place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder whose files say what befalls candidates here; `tiny` has depth 2."""
    (folder / "modules").mkdir()
    (folder / "modules" / "archdsl_places.py").write_text(PLACES)
    monkeypatch.syspath_prepend(folder / "modules")
    sys.modules.pop("archdsl_places", None)
    places = importlib.import_module("archdsl_places")
    monkeypatch.setattr(before, "make_runner", partial(runners.make_runner, make=places.make))
    (folder / "short.yaml").write_text(PROFILE.format(name="short") + "time_limit: 1s\n")
    (folder / "long.yaml").write_text(PROFILE.format(name="long") + "time_limit: 10min\n")
    (folder / "two.yaml").write_text(PROFILE.format(name="two") + "workers: 2\n")
    return folder


@pytest.fixture
def small(study: Callable[..., CheckedStudy], place: Path) -> Callable[..., CheckedStudy]:
    """The study of depths 1 to 4 of `tiny`; the base, of depth 2, is trial 0."""
    return partial(
        study,
        "depth: {range: [1, 4]}",
        trials=4,
        objectives={"params": "minimize", "latency": "minimize"},
        evaluate={"latency": {"device": "cpu", "batch": 1}},
    )


def befalls(depth: int, word: str | None) -> None:
    path = Path(f"depth-{depth}")
    path.unlink() if word is None else path.write_text(word)


def evaluated() -> list[int]:
    """Depths that were evaluated since last asked."""
    depths = [int(line) for line in Path("log").read_text().split()]
    Path("log").unlink()
    return depths


def trials() -> dict[int, Trial]:
    """The trials of the study by their depths."""
    with open_store("archdsl.db") as store:
        row = store.studies.find("small")
        return {
            store.architectures.find(trial.arch_id).spec["depth"]: trial
            for trial in store.trials.all(row.id)
        }


@pytest.mark.parametrize(("word", "state"), [("fail", "failed"), ("die", "crashed")])
@pytest.mark.parametrize("runner", ["local", pytest.param("two.yaml", marks=pytest.mark.slow)])
def test_a_base_that_fails_stops_the_search_before_anything_is_counted(
    small: Callable[..., CheckedStudy], word: str, state: str, runner: str
) -> None:
    for depth in range(1, 5):
        befalls(depth, word)
    with pytest.raises(BaseFailedError, match=f"the base ended as {state}: ") as caught:
        archdsl.search(small(), runner=runner)
    assert "run the same call again" in str(caught.value)
    assert "(runner=)" in str(caught.value)
    with open_store("archdsl.db") as store:
        assert store.studies.all() == [], "the document may be mended, too"
    for depth in range(1, 5):
        befalls(depth, None)
    done = archdsl.search(small(constraints=["depth <= 4"]), runner=runner)
    assert (done.ran, done.note) == (4, None)
    assert {trial.state for trial in trials().values()} == {State.COMPLETE}


@pytest.mark.slow
def test_a_base_that_runs_out_of_time_stops_the_search(small: Callable[..., CheckedStudy]) -> None:
    befalls(2, "dawdle")
    with pytest.raises(BaseFailedError, match="time_limit of 1 s"):
        archdsl.search(small(), runner="short.yaml")
    befalls(2, None)
    assert archdsl.search(small(), runner="long.yaml").ran == 4


@pytest.mark.slow
def test_what_was_paid_for_before_a_base_failed_stays(small: Callable[..., CheckedStudy]) -> None:
    befalls(2, "fail_last"), befalls(3, "fail")
    with pytest.raises(BaseFailedError):
        archdsl.search(small(), runner="two.yaml")
    evaluated()
    states = {depth: trial.state for depth, trial in trials().items()}
    assert states[2] is states[3] is State.RUNNING, "both are to be tried again"
    complete = [depth for depth, state in states.items() if state is State.COMPLETE]
    assert complete
    befalls(2, None), befalls(3, None)
    archdsl.search(small(), runner="two.yaml")
    assert sorted(evaluated()) == sorted({1, 2, 3, 4} - set(complete))


@pytest.mark.slow
def test_failures_are_tried_again_and_nothing_else(small: Callable[..., CheckedStudy]) -> None:
    befalls(1, "fail"), befalls(3, "die")
    done = archdsl.search(small())
    assert (done.ran, done.note) == (4, None)
    before, _ = trials(), evaluated()
    befalls(1, None), befalls(3, None)
    assert archdsl.search(small()).ran == 0, "not without being asked"
    done = archdsl.search(small(), retry=["failed"])
    assert (done.ran, done.note, evaluated()) == (1, None, [1])
    assert trials()[1].state is State.COMPLETE
    assert (trials()[1].number, trials()[1].ended_under) == (before[1].number, None)
    assert trials()[3].state is State.CRASHED
    done = archdsl.search(small(), retry=["failed", "crashed"])
    assert (done.ran, evaluated()) == (1, [3])
    assert {trial.state for trial in trials().values()} == {State.COMPLETE}
    done = archdsl.search(small(), retry=["failed", "crashed"])
    assert (done.ran, done.note) == (
        0,
        "no trial had ended as failed or crashed: none was tried again",
    )


class Interrupting:
    """Ends the search when its first trial has."""

    def on_start(self, job: Job) -> None:
        pass

    def on_epoch(self, job: Job, epoch: int, name: str, value: float) -> None:
        pass

    def on_end(self, job: Job, outcome: Outcome) -> None:
        raise KeyboardInterrupt


@pytest.mark.slow
def test_a_retry_that_is_interrupted_goes_on(small: Callable[..., CheckedStudy]) -> None:
    for depth in (1, 3, 4):
        befalls(depth, "fail")
    archdsl.search(small())
    first, *_ = [depth for depth in evaluated() if depth != 2]
    with pytest.raises(KeyboardInterrupt):
        archdsl.search(small(), retry=["failed"], observer=Interrupting())
    assert evaluated() == [first]
    befalls(4, None), befalls(3, None), befalls(1, None)
    assert archdsl.search(small(), retry=["failed"]).ran == 2
    assert sorted(evaluated()) == sorted({1, 3, 4} - {first}), "the first has had its turn"
    assert archdsl.search(small(), retry=["failed"]).ran == 1


@pytest.mark.slow
def test_a_profile_that_changed_says_so(small: Callable[..., CheckedStudy]) -> None:
    befalls(4, "dawdle")
    assert archdsl.search(small(), runner="short.yaml").note is None
    befalls(4, None)
    note = (
        "1 trial ended as timed_out under another run profile (time_limit: 1s then, 10min now); "
        "--retry timed_out tries again"
    )
    assert archdsl.search(small(), runner="long.yaml").note == note
    done = archdsl.search(small(), runner="long.yaml", retry=["timed_out"])
    assert (done.ran, done.note) == (1, None)


@pytest.mark.slow
def test_what_gave_nothing_says_how_to_try_again(
    small: Callable[..., CheckedStudy], place: Path
) -> None:
    """A study without a base, whose first candidate may well be a bad one."""
    befalls(1, "fail"), befalls(2, "fail")
    words = {"base": None, "trials": 5}
    whole = "\n".join(
        line if not line.startswith("depth") else "depth: {range: [1, 2]}"
        for line in (place / "tiny.yaml").read_text().splitlines()
    )
    make = small.func  # type: ignore[attr-defined]
    checked = make(whole, **{**small.keywords, **words})  # type: ignore[attr-defined]
    with pytest.raises(StudyError) as caught:
        archdsl.search(checked)
    assert "space exhausted: all 2 combinations" in str(caught.value)
    assert "retry='failed' then tries them again" in str(caught.value)
    befalls(1, None), befalls(2, None)
    done = archdsl.search(checked, retry=["failed"])
    assert done.ran == 2 and done.note and done.note.startswith("space exhausted")


def test_no_trial_is_taken_from_a_search_at_work(
    small: Callable[..., CheckedStudy], begin: Any
) -> None:
    befalls(3, "fail")
    archdsl.search(small())
    with open_store("archdsl.db") as store:
        [row] = store.studies.all()
        store.retries.begin(row.id, [State.FAILED], owner=Owner.current())
        assert store.trials.take_over(study_id=row.id, owner=Owner.current())
        with pytest.raises(StoreError, match="searched right now"):
            store.retries.begin(row.id, [State.FAILED], owner=Owner.current())


@pytest.mark.parametrize("words", ["diverged", "failed,fialed"])
def test_only_what_another_place_might_change_is_tried_again(
    small: Callable[..., CheckedStudy], words: str
) -> None:
    checked = small()
    with pytest.raises(StudyError, match="is not one of: failed, out_of_memory, timed_out, crash"):
        archdsl.search(checked, retry=words.split(","))
    done = CliRunner().invoke(app, ["search", "study.yaml", "--retry", words])
    assert done.exit_code == 2
    assert "is not one of: failed, out_of_memory, timed_out, crashed" in done.stderr
    assert not Path("archdsl.db").exists()
