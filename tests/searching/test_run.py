"""A whole search: what makes it the same study, what is scored on test images, how it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archdsl.errors import MeasureError, Problem, SpaceExhaustedError, StudyError
from archdsl.records import State
from archdsl.searching.final_score import final_score
from archdsl.searching.loop import Search
from archdsl.searching.read import CheckedStudy
from archdsl.searching.run import SearchResult, work_left
from archdsl.store.errors import StudyChangedError
from archdsl.store.store import Store

SPACE = "depth: {choose: [1, 2, 3, 4]}"
TABLE = """\
depth,latency,top1,test_top1
,2,60,59
1,1,50,48
3,3,55,54
4,4,70,69
"""

ReadStudy = Callable[..., CheckedStudy]
Run = Callable[..., SearchResult]


@pytest.fixture(autouse=True)
def values(folder: Path) -> Path:
    path = folder / "values.csv"
    path.write_text(TABLE)
    return path


def test_a_small_space_is_searched_whole(study: ReadStudy, run: Run, store: Store) -> None:
    done = run(study(SPACE, trials=50))
    assert done.ran == 4
    assert "space exhausted: all 4 combinations give no new model; 4" in (done.note or "")
    assert [trial.number for trial in store.trials.front(done.row.id)] == [
        trial.number
        for trial in store.trials.all(done.row.id)
        if trial.values["latency"].value in (1.0, 2.0, 4.0)
    ]


def test_a_spent_budget_does_nothing(study: ReadStudy, run: Run, store: Store) -> None:
    first = run(study(SPACE, trials=2))
    before = store.trials.all(first.row.id)
    again = run(study(SPACE, trials=2))
    assert (again.ran, again.row.id) == (0, first.row.id)
    assert store.trials.all(first.row.id) == before


def test_a_search_has_its_hours(study: ReadStudy, run: Run, store: Store) -> None:
    """Those of earlier runs count: nothing is begun after them, and with more it goes on."""
    begun = run(study(SPACE, trials=2))
    over = study(SPACE, budget={"hours": 1e-9})
    assert not work_left(over.study, begun.row, store)
    assert (run(over).ran, store.studies.find("small").ended) == (0, None)
    gone_on = run(study(SPACE, budget={"hours": 1, "trials": 3}))
    assert (gone_on.ran, gone_on.note) == (1, None)
    ended = run(study(SPACE, budget={"hours": 1}))
    assert ended.ran == 1
    assert "space exhausted" in (store.studies.find("small").ended or "")
    assert store.studies.find("small").budget is None


def test_nothing_is_begun_when_the_time_is_over(
    study: ReadStudy, begin: Callable[..., Search], store: Store
) -> None:
    search = begin(study(SPACE, budget={"trials": 4, "hours": 0.5 / 3600}))
    assert search.next_job() is not None
    time.sleep(0.5)
    assert search.next_job() is None
    assert search.exhausted == "the time is over (0.000138889 h); raise it with --hours H to go on"


def test_a_budget_ends_the_search(problems: Callable[..., tuple[Problem, ...]]) -> None:
    [problem] = problems(SPACE, budget={})
    assert (problem.path, problem.message) == ("budget", "give trials, hours, or both")


def test_only_members_are_scored_on_test_images(study: ReadStudy, run: Run, store: Store) -> None:
    done = run(study(SPACE, trials=4))
    members = {trial.arch_id for trial in store.trials.front(done.row.id)}
    scored = {
        trial.arch_id
        for trial in store.trials.all(done.row.id)
        if any(m.quantity == "test_top1" for m in store.measurements.of_arch(trial.arch_id))
    }
    assert scored == members
    assert len(members) == 3


def test_a_test_score_of_another_training_is_not_taken(
    study: ReadStudy, run: Run, store: Store, values: Path
) -> None:
    """The table is edited: another study finds other accuracies of the same architectures."""
    run(study(SPACE, trials=4))
    values.write_text(TABLE.replace("4,4,70,69", "4,4,70,33"))
    row = run(study(SPACE, trials=4, name="again")).row
    (deepest,) = [t for t in store.trials.all(row.id) if t.values["latency"].value == 4.0]
    score = final_score(store, deepest)
    assert {name: each.value for name, each in score.items()} == {"test_top1": 33}


def test_each_trained_metric_is_scored_on_test_images(
    study: ReadStudy, run: Run, store: Store, values: Path
) -> None:
    rows = [f"{line},{90 - number},{80 - number}" for number, line in enumerate(TABLE.split()[1:])]
    values.write_text("\n".join(["depth,latency,top1,test_top1,f1,test_f1", *rows]))
    objectives = {"latency": "minimize", "top1": "maximize", "f1": "maximize"}
    evaluate = {name: {"table": "values.csv"} for name in objectives}
    bounded = {"objectives": {"latency": "minimize"}, "constraints": ["top1 >= 1%", "f1 >= 1%"]}
    for words in ({"objectives": objectives}, bounded):
        row = run(study(SPACE, trials=4, evaluate=evaluate, name=f"by-{len(words)}", **words)).row
        for member in store.trials.front(row.id):
            scores = final_score(store, member)
            names = {name: each.value for name, each in scores.items()}
            facts = store.architectures.find(member.arch_id).facts
            expected = {1: (48, 79), 2: (59, 80), 4: (69, 77)}[int(facts["depth"])]
            assert names == dict(zip(("test_top1", "test_f1"), expected, strict=True))


@pytest.mark.slow
def test_another_space_under_an_old_name_is_refused(study: ReadStudy, run: Run) -> None:
    run(study(SPACE, trials=2))
    with pytest.raises(StudyChangedError) as caught:
        run(study("depth: {choose: [1, 2, 3]}", trials=2))
    assert "-      - 4" in str(caught.value)
    run(study(SPACE, trials=3))


def test_an_edited_base_is_another_study(study: ReadStudy, run: Run, folder: Path) -> None:
    run(study(SPACE, trials=2))
    text = (folder / "tiny.yaml").read_text()
    (folder / "tiny.yaml").write_text(text.replace("name: tiny", "name: renamed  # a note"))
    run(study(SPACE, trials=2))
    (folder / "tiny.yaml").write_text(text.replace("dim: 32", "dim: 48"))
    with pytest.raises(StudyChangedError, match=r"(?m)^\+\s+dim: 48"):
        run(study(SPACE, trials=2))


def test_a_study_that_cannot_begin_can_be_mended(study: ReadStudy, run: Run, store: Store) -> None:
    with pytest.raises(MeasureError, match=r"gone\.csv"):
        run(study(SPACE, evaluate={name: {"table": "gone.csv"} for name in ("latency", "top1")}))
    assert store.studies.all() == []
    run(study(SPACE, trials=2))


def test_values_from_two_tables_never_mix(
    study: ReadStudy, run: Run, values: Path, store: Store
) -> None:
    row = run(study(SPACE, trials=2)).row
    values.write_text(TABLE.replace("70", "71"))
    with pytest.raises(StudyError) as caught:
        run(study(SPACE, trials=4))
    assert "never compared" in str(caught.value)
    assert "table: " in str(caught.value)
    assert len(store.trials.all(row.id)) == 2


def test_a_failed_trial_is_kept_with_its_reason_and_the_search_goes_on(
    study: ReadStudy, run: Run, store: Store, values: Path
) -> None:
    values.write_text(TABLE.replace("3,3,55,54\n", ""))
    row = run(study(SPACE, trials=4)).row
    failed = [trial for trial in store.trials.all(row.id) if trial.state is State.FAILED]
    assert [trial.params for trial in failed] == [{"depth": 3}]
    assert "no row for depth = 3" in (failed[0].reason or "")
    assert failed[0].counted


def test_a_base_is_found_by_the_decisions_that_lead_to_it(
    study: ReadStudy, run: Run, store: Store, values: Path
) -> None:
    values.write_text(TABLE.replace("\n,2,60", "\n2,2,60"))
    row = run(study(SPACE, trials=4)).row
    base = store.trials.get(row.id, 0)
    assert (base.state, base.params) == (State.COMPLETE, {})
    assert base.values["top1"].value == 60
    score = final_score(store, base)
    assert score["test_top1"].value == 59, "on test images, too"


def test_a_base_with_a_row_of_its_own_or_none_at_all(
    study: ReadStudy, run: Run, store: Store, values: Path
) -> None:
    values.write_text(TABLE + "2,9,9,9\n")
    assert store.trials.get(run(study(SPACE, trials=1)).row.id, 0).values["top1"].value == 60
    values.write_text(TABLE.replace("\n,2,60,59", ""))
    row = run(study("depth: {choose: [1, 3, 4]}", trials=4, name="outside")).row
    base = store.trials.get(row.id, 0)
    assert base.state is State.FAILED
    assert "no decisions (the base, whose values are not all among the options)" in (
        base.reason or ""
    )


def test_a_search_without_any_result_says_why(study: ReadStudy, run: Run, values: Path) -> None:
    values.write_text("depth,latency,top1\n9,1,1\n")
    with pytest.raises(SpaceExhaustedError) as caught:
        run(study(SPACE, trials=2))
    assert "no trial of 2 gave a result" in str(caught.value)
    assert "no row for" in str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"objectives": {"latencyy": "minimize"}}, "did you mean 'latency'"),
        ({"objectives": {"latency": "minimise"}}, "did you mean 'minimize'"),
        ({"objectives": {}}, "at least 1"),
        ({"objectives": {"latency": "minimize"}}, "has no effect"),
        ({"evaluate": {"latency": {"table": "values.csv"}}}, "top1 is asked for"),
        (
            {
                "objectives": {"latency": "minimize", "top1": "maximize", "f1": "maximize"},
                "evaluate": {
                    "latency": {"table": "values.csv"},
                    "top1": {"data": "digits", "recipe": "small-images", "epochs": 3},
                    "f1": {"data": "digits", "recipe": "small-images"},
                },
            },
            "is of another training than top1; one serves both: give both the same words",
        ),
        ({"budget": {"trials": 0}}, "0 is below 1"),
        ({"sampler": {"type": "tpee"}}, "did you mean 'tpe'"),
        (
            {"evaluate": {"latency": {"table": "a.csv", "device": "cpu"}}},
            "does not go with the other keys here; leave it out",
        ),
        ({"constraint": ["depth <= 3"]}, "did you mean 'constraints'"),
    ],
)
def test_studies_that_say_what_cannot_be(
    problems: Callable[..., Any], words: dict[str, Any], message: str
) -> None:
    found = problems(SPACE, **words)
    assert any(message in problem.message for problem in found), found
