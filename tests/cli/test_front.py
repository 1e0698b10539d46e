"""`front`, `show` and `export`: what was found, and back to documents."""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from archdsl.analysis.aggregate import aggregated
from archdsl.plan.read import Checked, read_model
from archdsl.records import Measurement, Outcome, State
from archdsl.store.owner import Owner
from archdsl.store.rows import Architecture, NewTrial
from archdsl.store.store import Store, open_store

Run = Callable[..., Any]


def _new(model: Checked) -> NewTrial:
    architecture = Architecture(
        arch_id=model.plan.arch_id,
        spec=model.spec.document(),
        plan=model.plan.canonical(),
        facts={"params": 7},
    )
    return NewTrial(architecture=architecture)


@pytest.fixture(autouse=True)
def found(searched: Any) -> Any:
    """The front of the searched study."""
    return searched.json()


def test_front_shows_the_members_of_the_view(run: Run, found: Any) -> None:
    with open_store("archdsl.db") as store:
        members = [trial.number for trial in store.trials.front(store.studies.find("tabular").id)]
    again = run("front", "--json").json()
    assert sorted(member["trial"] for member in again["members"]) == members
    assert again["members"] == found["members"]
    table = run("front").out
    for member in again["members"]:
        assert f"{member['values']['latency']['value']:.4g}" in table


def test_a_base_that_is_beaten_is_shown_beneath(run: Run, folder: Path) -> None:
    text = (folder / "values.csv").read_text()
    (folder / "values.csv").write_text(text.replace(",,2,1.9,2.1,60,59", ",,6,5.9,6.1,60,59"))
    done = run("search", "study.yaml", "--db", "b.db", "--trials", "8")
    assert "base (trial 0) is not on the front: latency 6.000 ±0.100 ms" in done.out
    assert "validation top1 60 %" in done.out
    members = run("front", "--db", "b.db", "--json").json()["members"]
    assert not any(member["base"] for member in members)


def test_a_latency_that_is_not_steady_is_marked(run: Run) -> None:
    model = read_model("vittm-digits")
    protocol = {"evaluator": "latency/2"}
    with open_store("loose.db") as store:
        row = store.studies.ensure(
            name="loose",
            document={"base": "vittm-digits", "evaluate": {}},
            objectives={"latency": "minimize"},
        )
        trial = store.trials.add(_new(model), study_id=row.id, budget=1, owner=Owner.current())
        assert trial is not None
        made = Measurement(
            quantity="latency", value=3.0, low=2.5, high=3.5, unit="ms", protocol=protocol,
            detail={"steady": False},
        )  # fmt: skip
        store.trials.finish(
            trial_id=trial.id,
            token=trial.token or "",
            outcome=Outcome(state=State.COMPLETE, measurements=(made,)),
            values={"latency": made},
        )
    assert run("front", "--db", "loose.db", "--json").json()["members"][0]["steady"] is False
    table = run("front", "--db", "loose.db").out
    assert "~3.000 ±0.500" in table
    assert "~ not steady" in table
    hardly = "hardly known, its interval being more than 20 % of it: the latency of trial 0 (33 %)"
    assert hardly in table


def test_a_member_that_mostly_does_nothing_is_marked(run: Run) -> None:
    last = "layers=[{at: [-1], exchange: {write: null}}]"
    models = [read_model("vittm-digits", ["depth=1", *sets]) for sets in ([last], [])]
    with open_store("idle.db") as store:
        row = store.studies.ensure(
            name="idle",
            document={"base": "vittm-digits", "evaluate": {}},
            objectives={"params": "minimize"},
        )
        for model in models:
            trial = store.trials.add(_new(model), study_id=row.id, budget=2, owner=Owner.current())
            assert trial is not None
            made = Measurement(quantity="params", value=7, low=7, high=7, unit="", protocol={})
            store.trials.finish(
                trial_id=trial.id,
                token=trial.token or "",
                outcome=Outcome(state=State.COMPLETE, measurements=(made,)),
                values={"params": made},
            )
    out = run("front", "--db", "idle.db").out
    assert [line.split()[0] for line in out.splitlines()[2:4]] == ["0*", "1"]
    what = "embeds.process, layers.0.process, layers.0.read (but for its norm)"
    assert f"* trial 0: no influence on the prediction: {what}; 93.2 % of the parameters\n" in out
    assert "  the constraint unused_share <= 0 in a study keeps such networks out\n" in out
    run("report", "--db", "idle.db", "-o", "idle.html")
    page = Path("idle.html").read_text()
    assert what in page
    assert "its card says which" in page


def test_trials_that_did_not_end_well_are_named(run: Run, found: Any) -> None:
    assert found["not_complete"] == {}
    assert found["lost"] == []
    reason = "the worker process ended: SIGSEGV"
    with open_store("archdsl.db") as store:
        row = store.studies.find("tabular")
        for number in range(7):
            new = NewTrial(architecture=Architecture(arch_id=f"other-{number}"))
            trial = store.trials.add(new, study_id=row.id, budget=None, owner=Owner.current())
            assert trial is not None
            if number == 6:
                break  # still running
            store.trials.finish(
                trial_id=trial.id,
                token=trial.token or "",
                outcome=Outcome(state=State.CRASHED, reason=reason),
                values={},
            )
    again = run("front", "--json").json()
    assert again["not_complete"] == {"running": 1, "crashed": 6}
    assert [lost["trial"] for lost in again["lost"]] == list(range(6, 12))
    assert again["lost"][0] == {"trial": 6, "state": "crashed", "reason": reason}
    table = run("front").out
    assert "not complete: 1 running, 6 crashed" in table
    assert f"trial 10 crashed: {reason}" in table
    assert "trial 11" not in table
    assert "and 1 more" in table


def test_what_was_stopped_early_is_counted_and_says_why(run: Run, found: Any) -> None:
    model = read_model("vittm-digits", ["depth=9"])
    with open_store("archdsl.db") as store:
        row = store.studies.find("tabular")
        trial = store.trials.add(_new(model), study_id=row.id, budget=None, owner=Owner.current())
        assert trial is not None
        reason = "after epoch 4: too little in sight"
        store.trials.finish(
            trial_id=trial.id,
            token=trial.token or "",
            outcome=Outcome(state=State.STOPPED, reason=reason),
            values={},
        )
    assert "not complete: 1 stopped" in run("front").out
    again = run("front", "--json").json()
    assert (again["not_complete"], again["complete"]) == ({"stopped": 1}, found["complete"])
    assert again["lost"] == [], "it was stopped with a reason, not lost"
    assert f"# trial {trial.number}, stopped: {reason}" in run("show", str(trial.number)).out
    shown = run("show", str(trial.number), "--json").json()["trial"]
    assert (shown["state"], shown["reason"], shown["values"]) == ("stopped", reason, {})


def test_a_study_is_named_where_there_are_several(run: Run) -> None:
    run("search", "study.yaml", "--set", "name=second", "--json")
    likely = run("front")
    assert "front of 'second'" in likely.out
    assert "'second', the one that changed last of the studies in archdsl.db" in likely.err
    assert "did you mean 'second'" in run("front", "--study", "secnd", code=2).err
    assert run("front", "--study", "second", "--json").json()["study"] == "second"


def test_show_by_number_and_by_identity(run: Run, found: Any) -> None:
    member = found["members"][-1]
    by_number = run("show", str(member["trial"]), "--json").json()
    assert by_number["arch_id"] == member["arch_id"]
    assert by_number["trial"]["state"] == "complete"
    by_identity = run("show", member["arch_id"][:8], "--json").json()
    assert by_identity["trial"] is None
    assert by_identity["spec"] == by_number["spec"]
    quantities = {measurement["quantity"] for measurement in by_identity["measurements"]}
    assert quantities == {"latency", "top1", "test_top1"}
    text = run("show", str(member["trial"])).out
    assert f"# arch_id {member['arch_id']}" in text
    Path("shown.yaml").write_text(text)
    assert read_model("shown.yaml").plan.arch_id == member["arch_id"]


@pytest.mark.parametrize(
    ("what", "message"),
    [("99", "its trials are 0 to 5"), ("ffff", "holds no architecture 'ffff'"), ("", "holds no")],
)
def test_show_what_is_not_there(run: Run, what: str, message: str) -> None:
    assert message in run("show", what, code=2).err


def test_exported_documents_are_the_very_same(run: Run, found: Any, folder: Path) -> None:
    done = run("export", "--front", "-o", "out", "--json").json()
    assert {file["arch_id"] for file in done["files"]} == {m["arch_id"] for m in found["members"]}
    for file in done["files"]:
        again = read_model(file["path"])
        assert again.plan.arch_id == file["arch_id"]
        assert again.spec.name.startswith("tabular-")
    member = found["members"][0]
    for what in (str(member["trial"]), member["arch_id"][:9]):
        run("export", what, "-o", "one.yaml", "--force")
        assert read_model("one.yaml").plan.arch_id == member["arch_id"]
    run("export", "0")
    assert (folder / "vittm-digits-trial-0.yaml").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--front", "-o", "file"], "-o names a folder"),
        (["1", "-o", "."], "-o names the file"),
        (["1", "-o", "no/where.yaml"], "no/where.yaml"),
        (["1", "--front"], "either '1' or --front, not both"),
        (["77"], "no trial 77"),
    ],
)
def test_export_where_it_cannot(run: Run, folder: Path, words: list[str], message: str) -> None:
    (folder / "file").write_text("")
    assert message in run("export", *words, code=2).err


def test_members_without_a_test_value_are_named(run: Run, found: Any) -> None:
    member = found["members"][0]
    with closing(sqlite3.connect("archdsl.db")) as database, database:
        database.execute(
            "delete from measurements where quantity = 'test_top1' and arch_id = ?",
            (member["arch_id"],),
        )
    told = run("front").out
    assert f"no test top1 yet for {member['trial']}: the same search command takes it" in told
    assert "no test top1 yet" not in run("search", "study.yaml").out


def test_an_empty_front_is_said_to_be(run: Run) -> None:
    run("search", "study.yaml", "--db", "e.db", "--set", "constraints=[params <= 5]", code=2)
    assert "empty" in run("export", "--front", "--db", "e.db", code=2).err
    assert run("front", "--db", "e.db", "--json").json()["members"] == []
    told = run("front", "--db", "e.db").out
    assert "no trial of 'tabular' is complete, so there is no front" in told


UNCLEAR = """\
depth,repeat,process.dim,latency,latency_low,latency_high,top1,top1_low,top1_high
,,,9,8.9,9.1,60,59,61
1,,32,1.0,0.8,1.2,50,48,52
1,,64,1.1,0.9,1.3,51,49,53
2,,32,1.15,0.9,1.4,49.5,47,52
2,,64,3,3,3,70,69,71
1,1,32,0.9,0.8,1.0,50,48,52
1,1,64,1.5,1.4,1.6,51,49,53
2,1,32,2.0,1.9,2.1,47,46,48
"""


def _unclear(run: Run, folder: Path, table: str) -> Any:
    (folder / "values.csv").write_text(table)
    return run(
        "search", "study.yaml", "--db", "u.db", "--trials", "5", "--json",
        "--set", "space.depth={choose: [1, 2]}",
        "--set", "reference={latency: 10ms, top1: 40}",
    ).json()  # fmt: skip


@pytest.fixture
def unclear(run: Run, folder: Path) -> Any:
    """A study of which three trials cannot be told apart, one of them beaten by the others."""
    return _unclear(run, folder, UNCLEAR)


def _by_params(front: Any) -> dict[tuple[int, int], Any]:
    return {
        (member["params"]["depth"], member["params"]["process.dim"]): member
        for member in front["members"]
    }


def test_members_that_cannot_be_told_apart_are_marked(run: Run, unclear: Any, folder: Path) -> None:
    robust = run("front", "--db", "u.db", "--robust", "--json").json()
    members, kept = _by_params(unclear), _by_params(robust)
    assert set(members) == {(1, 32), (1, 64), (2, 64)}
    assert set(kept) == {*members, (2, 32)}
    assert robust["robust"] and not unclear["robust"]
    assert not kept[2, 32]["on_front"]
    numbers = {where: member["trial"] for where, member in kept.items()}
    assert set(members[1, 32]["not_told_apart_from"]) == {numbers[1, 64], numbers[2, 32]}
    assert set(kept[2, 32]["not_told_apart_from"]) == {numbers[1, 32], numbers[1, 64]}
    assert members[2, 64]["not_told_apart_from"] == []
    assert unclear["not_told_apart"] == sorted(numbers[w] for w in [(1, 32), (1, 64), (2, 32)])
    table = run("front", "--db", "u.db").out
    assert "2 of the front's 3 cannot be told apart from other trials (1 more is on" in table
    assert "in every objective; archdsl front --settle measures them again" in table
    assert "not told from" in table
    page = (folder / "tabular-front.html").read_text()
    assert "cannot be told apart from" in page


def test_settling_states_its_budget_and_goes_on(run: Run, unclear: Any) -> None:
    done = run("front", "--db", "u.db", "--settle", "--json")
    first, *rest = done.err.splitlines()
    numbers = ", ".join(map(str, unclear["not_told_apart"]))
    assert first == (
        f"settling trials {numbers} of 'tabular', which cannot be told apart: at most 6 "
        "measurements"
    )
    assert rest[-1] == "all members can be told apart now"
    front = done.json()
    assert front["settled"]["allowed"]["measurements"] == 6
    assert 3 <= front["settled"]["made"]["measurements"] <= 6
    assert front["not_told_apart"] == front["settled"]["not_told_apart"] == []
    assert all(not member["not_told_apart_from"] for member in front["members"])
    again = run("front", "--db", "u.db", "--settle")
    assert "nothing to settle" in again.err
    assert "not told from" not in again.out


def test_an_ended_settling_counts_as_it_began(run: Run, folder: Path) -> None:
    """What was measured again moves beside a trial that could be told apart before."""
    moving = UNCLEAR.replace("1,1,64,1.5,1.4,1.6,51,49,53", "1,1,64,3.9,3.8,4,90,89,91")
    unclear = _unclear(run, folder, moving)
    done = run("front", "--db", "u.db", "--settle", "--json")
    front = done.json()
    numbers = front["not_told_apart"]
    assert front["settled"]["not_told_apart"] == numbers
    fresh = [number for number in numbers if number not in unclear["not_told_apart"]]
    assert len(fresh) == 1
    assert done.err.splitlines()[-2:] == [
        f"made {front['settled']['made']['measurements']} of at most 6 measurements",
        f"trials {', '.join(map(str, numbers))} cannot be told apart; the same command goes on "
        f"with trial {fresh[0]}, unclear only since",
    ]


def test_an_interrupted_settling_ends_as_other_commands_do(
    start: Callable[..., subprocess.Popen[str]], unclear: Any, folder: Path
) -> None:
    (folder / "values.csv").unlink()
    os.mkfifo(folder / "values.csv")  # whoever reads it waits
    with start("front", "--db", "u.db", "--settle") as command:
        deadline = time.monotonic() + 60
        while True:
            try:
                writer = os.open("values.csv", os.O_WRONLY | os.O_NONBLOCK)
                break
            except OSError:
                assert time.monotonic() < deadline and command.poll() is None
                time.sleep(0.05)
        command.send_signal(signal.SIGINT)
        _, said = command.communicate(timeout=60)
        os.close(writer)
    assert command.returncode == 130
    assert "interrupted; made and stored: 0 of at most 6 measurements\nthe same command" in said


def test_settling_says_what_it_could_not_measure(run: Run, unclear: Any, folder: Path) -> None:
    done = run("front", "--db", "u.db", "--settle", "--rounds", "3", "--json")
    assert "at most 18 measurements" in done.err
    (folder / "gone").mkdir()
    (folder / "values.csv").rename(folder / "gone" / "values.csv")
    assert run("front", "--db", "u.db", "--settle").err.startswith("nothing to settle")
    options = run("front", "--db", "u.db", "--rounds", "2", code=2).err
    assert "have an effect only with --settle" in options


def test_the_hypervolume_and_when_it_last_grew(run: Run, unclear: Any, found: Any) -> None:
    growth = unclear["hypervolume"]
    assert growth["reference"] == {"latency": 10.0, "top1": 40.0}
    assert growth["reference_from"] == "study"
    # From the left: 9 ms wide and 10 % high, 8.9 by 1, 7 by 19.
    assert growth["value"] == pytest.approx(9 * 10 + 8.9 * 1 + 7 * 19)
    assert [each["trial"] for each in growth["series"]] == list(range(5))
    assert growth["series"][-1]["hypervolume"] == growth["value"]
    told = run("front", "--db", "u.db").out
    assert "hypervolume 231.9 ms·% from the stated reference (latency 10 ms, top1 40 %)" in told
    assert f"last grew at trial {growth['last_grew']}" in told
    assert found["hypervolume"]["reference_from"] == "base"
    assert "than the base (latency 2 ms" in run("front").out


def test_fewer_objectives_keep_their_part_of_the_reference(run: Run, folder: Path) -> None:
    reference = ["--set", "reference={latency: 10ms, top1: 40}"]
    one = run(
        "search", "study.yaml", "--db", "o.db", "--objective", "latency", *reference, "--json"
    )
    assert one.json()["hypervolume"]["reference"] == {"latency": 10.0}
    other = run(
        "search",
        "study.yaml",
        "--db",
        "p.db",
        "--objective",
        "latency,params",
        *reference,
        "--json",
    )
    assert other.json()["hypervolume"]["reference_from"] == "base"


@pytest.mark.slow
def test_a_picture_of_two_of_three_objectives_says_so(run: Run, folder: Path) -> None:
    run("search", "study.yaml", "--db", "t.db", "--objective", "latency,top1,params")
    run("front", "--db", "t.db", "--plot", "three.html", "--plot", "three.svg")
    run("front", "--plot", "two.html")
    words = "a projection onto latency and top1: members that look dominated are better in params"
    assert words in (folder / "three.html").read_text()
    assert "a projection onto latency and top1" in (folder / "three.svg").read_text()
    assert "projection" not in (folder / "two.html").read_text()


@pytest.mark.slow
def test_parameters_as_an_objective_stand_in_one_column_and_without_an_exponent(run: Run) -> None:
    run("search", "study.yaml", "--db", "t.db", "--objective", "latency,params")
    told = run("front", "--db", "t.db").out
    assert told.splitlines()[1].split()[:4] == ["trial", "latency", "ms", "params"]
    assert told.splitlines()[1].count("params") == 1
    assert "e+0" not in told
    run("search", "study.yaml", "--db", "m.db", "--objective", "latency,params_m,macs_g")
    millions = run("front", "--db", "m.db").out
    assert "params_m M" in millions and "macs_g G" in millions
    assert " params " not in millions


def test_a_module_has_no_document_to_show(run: Run) -> None:
    made = Measurement(quantity="latency", value=3.0, low=2.5, high=3.5, unit="ms", protocol={})
    with open_store("archdsl.db") as store:
        module = Architecture(arch_id="f" * 16, kind="module", label="timm:resnet10t")
        store.measurements.add(module, [made])
    for command in ("show", "export"):
        told = run(command, "f" * 16, code=2).err
        assert "is timm:resnet10t, a module that was measured: it has no document" in told
        assert "latency 3 ms (2.5 to 3.5)" in told


def test_an_interval_says_what_it_is_over(
    run: Run, fill: Any, made: Any, store: Store, folder: Path
) -> None:
    """Of one training it is over images, of several over seeds: also where a front has both."""
    words = {"detail": {"top1": {"correct": [160], "count": [200]}}}
    row = fill(
        [
            made(values={"latency": 3.0, "top1": (80, 74, 85)}, **words),
            made(values={"latency": 2.0, "top1": (70, 63, 76)}, sets=("depth=3",), **words),
            made(values={"latency": 1.0, "top1": (60, 53, 67)}, sets=("depth=2",), **words),
        ],
        name="trained",
    )
    alike = run("front", "--study", "trained").out
    assert (
        "top1 is over 200 images\n" in alike and "±" in alike and " over 200 images " not in alike
    )
    seeds = Measurement(
        quantity="top1", value=71.0, low=60, high=80, unit="%", protocol={"seeds": [1, 2]},
        detail={"correct": [140, 144], "count": [200, 200]},
    )  # fmt: skip
    trial = store.trials.get(row.id, 1).id
    store.samples.add(trial_id=trial, objective="top1", measurement=seeds, pool=aggregated)
    table = run("front", "--study", "trained").out
    assert "over 3 seeds " in table and " over 200 images " in table, "each in its row"
    mixed = "the 95 % interval of top1 is over 3 seeds (trial 1) or 200 images (the others); they"
    assert f"{mixed} are compared as they are" in table
    over = ["200 images", "3 seeds", "200 images"]
    members = run("front", "--study", "trained", "--json").json()["members"]
    assert {each["trial"]: each["values"]["top1"]["over"] for each in members} == dict(
        enumerate(over)
    )
    assert "over" not in members[0]["values"]["latency"]
    shown = run("show", "1", "--study", "trained", "--json").json()["trial"]
    assert shown["values"]["top1"]["over"] == "3 seeds"
    assert "60 to 80 over 2 seeds)" in run("show", "1", "--study", "trained").out
    run("export", "--csv", "t.csv", "--study", "trained")
    with (folder / "t.csv").open(newline="") as file:
        assert [line["top1_over"] for line in csv.DictReader(file)] == over
    files = run("export", "--front", "--study", "trained", "-o", "out", "--json").json()["files"]
    certificates = [json.loads(Path(each["certificate"]).read_text()) for each in files]
    assert {each["trial"]: each["values"]["top1"]["over"] for each in certificates} == dict(
        enumerate(over)
    )
    run("report", "--study", "trained", "-o", "t.html")
    page = (folder / "t.html").read_text()
    assert f"The{mixed[3:]}" in page and "over 3 seeds)" in page
