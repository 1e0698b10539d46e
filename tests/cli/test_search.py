"""`archdsl search` on tables: what it takes, what it says, how it goes on."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archdsl.document.shelves import packaged
from archdsl.records import State
from archdsl.searching.read import read_study
from archdsl.store.store import open_store

Run = Callable[..., Any]


def test_one_command_from_document_to_front(run: Run, tabular: Path, folder: Path) -> None:
    done = run("search", "study.yaml")
    said, begun, *changes = done.err.splitlines()
    assert (said, begun) == ("searching study.yaml", "tabular: 0/6 trials")
    assert all("trial" in change for change in changes)
    assert "(6/6 trials, 3 on the front)" in changes[-1], "without a terminal it is told in lines"
    assert "front of 'tabular': 3 of 6 complete trials" in done.out
    assert "the base itself" in done.out
    assert "depth 4 → " in done.out
    assert "latency from the table values.csv" in done.out
    assert "database  archdsl.db" in done.out
    for kind in ("png", "html"):
        assert (folder / f"tabular-front.{kind}").stat().st_size > 1000


def test_json_is_one_document(run: Run, tabular: Path) -> None:
    found = run("search", "study.yaml", "--json").json()
    assert found["study"] == "tabular"
    assert found["objectives"] == {"latency": "minimize", "top1": "maximize"}
    assert found["ran"] == found["complete"] == 6
    assert found["db"] == "archdsl.db"
    values = [(m["values"]["latency"]["value"], m["values"]["top1"]["value"], m["test_top1"])
              for m in found["members"]]  # fmt: skip
    assert values == sorted(values), "best latency first, and dearer ones are better"
    assert [member["base"] for member in found["members"]].count(True) == 1
    assert all(member["steady"] for member in found["members"])


def test_the_second_time_the_budget_is_spent(run: Run, tabular: Path) -> None:
    first = run("search", "study.yaml", "--json").json()
    again = run("search", "study.yaml", "--json")
    assert "the budget of 'tabular' is spent (6 trials)" in again.err
    assert "--trials N" in again.err
    assert again.json() == {**first, "ran": 0}
    more = run("search", "study.yaml", "--trials", "7", "--json")
    assert "spent" not in more.err
    assert (more.json()["ran"], more.json()["complete"]) == (1, 7)


def test_a_space_that_is_used_up_is_no_failure(run: Run, tabular: Path) -> None:
    done = run("search", "study.yaml", "--trials", "99")
    assert "space exhausted: all 8 combinations give no new model" in done.err


@pytest.mark.parametrize("constraint", ["depth <= 3", "latency <= 1.9ms"])
def test_a_base_that_breaks_a_constraint(run: Run, tabular: Path, constraint: str) -> None:
    """What differs from it is told all the same, and the hypervolume is measured from elsewhere."""
    words = ["--set", f"constraints=[{constraint}]", "--set", "budget.trials=9"]
    broken = "the base breaks a constraint and will be on no front: depth is 4, but depth <= 3 is"
    known = constraint.startswith("depth")
    assert (broken in run("check", "study.yaml", *words[:2]).out) == known
    assert (broken in run("search", "study.yaml", *words, "--dry-run").err) == known
    searched = run("search", "study.yaml", *words)
    assert (broken in searched.err) == known
    assert (
        "the worst value of each objective, as the study states no reference and the base is "
        in (searched.out)
    )
    assert f"infeasible: {constraint.split(maxsplit=1)[0]} is " in searched.out
    found = run("front", "--json").json()
    assert found["hypervolume"]["reference_from"] == "worst"
    assert found["hypervolume"]["value"] > 0
    assert all("depth 4 → " in member["difference"] for member in found["members"])
    run("report", "-o", "report.html")
    assert "depth 4 → 1" in Path("report.html").read_text()


def test_an_infeasible_space_is(run: Run, tabular: Path) -> None:
    done = run("search", "study.yaml", "--set", "constraints=[params <= 5]", code=2)
    assert "space exhausted: all 8 combinations" in done.err
    assert "8 of 8 tried break a constraint; the closest: params is" in done.err
    assert done.out == ""


def test_a_changed_document_is_refused_with_the_difference(run: Run, tabular: Path) -> None:
    run("search", "study.yaml", "--json")
    done = run("search", "study.yaml", "--set", "space.depth.choose=[1, 2, 4]", code=2)
    assert "begun with another document" in done.err
    assert "-      - 3" in done.err
    assert "another name" in done.err
    run("search", "study.yaml", "--set", "space.depth.choose=[1, 2, 4]", "--set", "name=other")
    run("search", "study.yaml", "--seed", "4", "--db", "other.db")


def test_without_a_name_the_only_study_is_taken(run: Run, tabular: Path, folder: Path) -> None:
    (folder / "note.yaml").write_text("colours: [red]\n")
    done = run("search", "--dry-run")
    said = done.err.splitlines()[0]
    assert said == ("searching study.yaml, the only study here (name another: archdsl search NAME)")


def test_without_a_study_the_only_model_is_taken(run: Run, folder: Path) -> None:
    (folder / "mine.yaml").write_text((packaged("specs") / "vittm-digits.yaml").read_text())
    done = run("search", "--objective", "params,macs", "--trials", "4", "--json")
    assert "searching mine.yaml, the only model document here" in done.err
    assert done.json()["study"] == "vittm-digits-neighbourhood"
    assert done.json()["objectives"] == {"params": "minimize", "macs": "minimize"}


def test_without_either_the_embedded_digits_are_taken(run: Run, folder: Path) -> None:
    done = run("search", "--objective", "params,macs", "--trials", "2", "--json")
    assert "searching the embedded study 'digits-sizes' (name another:" in done.err
    assert done.json()["study"] == "digits-sizes"


AROUND = ["search", "vittm-digits", "--objective", "params,macs", "--dry-run", "-o", "around.yaml"]


def test_settings_of_a_model_reach_the_model(run: Run, folder: Path) -> None:
    """The model as it is set is the base; words of both are the study's."""
    sets = ["depth=2", "process.dim=32", "name=other", "budget.trials=5"]
    run(*AROUND, *(word for each in sets for word in ("--set", each)))
    study = read_study("around.yaml").study
    assert (study.name, study.budget.trials) == ("other", 5)
    assert isinstance(study.base, dict)
    assert (study.base["name"], study.base["depth"]) == ("vittm-digits", 2)
    assert study.space["process"]["dim"]["choose"][0] == 32, "options lie around the set value"
    (folder / "else").mkdir()
    (folder / "around.yaml").rename(folder / "else" / "around.yaml")
    found = run("search", "else/around.yaml", "--trials", "1", "--json").json()
    assert found["members"][0]["facts"]["depth"] == 2


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("dephth=2", "dephth  unknown key; did you mean 'depth'?"),
        ("bugdet.trials=2", "bugdet  unknown key; did you mean 'budget'?"),
        ("space={}", "changes nothing"),
        ("space.depth.choose.0=3", "items of a list cannot be addressed"),
        ("budget=null", "budget  missing: removed here"),
    ],
)
def test_settings_that_cannot_be(run: Run, folder: Path, setting: str, message: str) -> None:
    done = run(*AROUND, "--set", setting, code=2)
    assert f"--set {setting}: 1 problem" in done.err
    assert message in done.err
    assert not (folder / "around.yaml").exists()


def test_a_hole_replaces_a_hole(run: Run, tabular: Path) -> None:
    found = run("check", "study.yaml", "--set", "space.depth.range=[1, 2]").out
    assert "2 holes, 4 combinations" in found


def test_several_studies_are_named(run: Run, tabular: Path, folder: Path) -> None:
    (folder / "second.yaml").write_text(tabular.read_text())
    done = run("search", "--objective", "params,macs", "--trials", "2", "--json", code=2)
    assert "more than one study; say which: archdsl search second.yaml, archdsl" in done.err
    assert "the embedded study" in done.err
    assert not (folder / "archdsl.db").exists()


def test_constraints_that_nothing_keeps_are_said(run: Run, tabular: Path) -> None:
    words = ("search", "study.yaml", "--dry-run", "--set")
    told = run(*words, "constraints=[params <= 10]").err
    assert "none of 200 random draws keeps the constraints (params <= 10)" in told
    told = run(*words, "constraints=[latency <= -5ms]").err
    assert "no candidate can keep latency <= -5ms: latency is at least 0 ms" in told
    assert (
        "no candidate can keep"
        in run("check", "study.yaml", *words[3:], "constraints=[depth<0]").out
    )


def test_a_bare_check_is_of_this_folder(run: Run, tabular: Path, folder: Path) -> None:
    (folder / "other.yaml").write_text("somebody: else's\n")
    (folder / "broken.yaml").write_text("archdsl: 1\nname: [\n")
    done = run("check", code=2)
    assert [line.partition(":")[0] for line in done.out.splitlines()] == ["study.yaml"]
    assert "archdsl check --shelves checks the shelves" in done.err
    assert "broken.yaml: 1 problem" in done.err
    assert "other.yaml" not in done.err
    (folder / "broken.yaml").unlink()
    both = run("check", "study.yaml", "--shelves", "--json").json()["documents"]
    (folder / "study.yaml").unlink()
    shelves = run("check", "--json").json()["documents"]
    assert both[1:] == shelves
    assert len(shelves) > 10


@pytest.mark.parametrize("text", ["archdsl: 1\nkind: [study\n", "archdsl: 1\nkind: studdy\n"])
def test_a_broken_document_here_is_not_passed_over(run: Run, folder: Path, text: str) -> None:
    (folder / "study.yaml").write_text(text)
    done = run("search", code=2)
    assert "study.yaml: 1 problem" in done.err


def test_objectives_are_a_choice(run: Run, tabular: Path, folder: Path) -> None:
    found = run("search", "study.yaml", "--objective", "latency", "--json").json()
    assert list(found["objectives"]) == ["latency"]
    assert len(found["members"]) == 1
    assert found["members"][0]["test_top1"] is None
    assert found["plots"] == []
    with open_store("archdsl.db") as store:
        quantities = {
            measurement.quantity
            for trial in store.trials.all(store.studies.find("tabular").id)
            for measurement in store.measurements.of_arch(trial.arch_id)
        }
    assert quantities == {"latency"}, "what is not aimed at is not measured"


def test_a_rule_for_trainings_is_left_out_where_nothing_is_trained(run: Run, tabular: Path) -> None:
    rule = ["--set", "stopping={type: front}", "--dry-run"]
    run("search", "study.yaml", "--objective", "latency", *rule)
    refused = run("search", "study.yaml", *rule, code=2).err
    assert "a table tells nothing of top1 on the way" in refused


def test_a_fact_may_be_an_objective(run: Run, tabular: Path) -> None:
    found = run("search", "study.yaml", "--objective", "params,top1", "--json").json()
    best = found["members"][0]
    assert best["values"]["params"]["value"] == best["facts"]["params"]


def test_a_dry_run_measures_nothing(run: Run, tabular: Path, folder: Path) -> None:
    done = run("search", "study.yaml", "--dry-run", "--set", "constraints=[depth <= 2]")
    assert "8 combinations in 2 holes" in done.out
    assert "% of 200 random draws (100% valid)" in done.out
    assert "from a table, costs nothing" in done.out
    found = run("search", "study.yaml", "--dry-run", "--json").json()
    assert (found["size"], found["feasible"], found["trials"]) == (8, 1.0, 6)
    assert not list(folder.glob("*.db"))


def test_a_table_of_another_space_is_refused_before_anything(
    run: Run, tabular: Path, folder: Path
) -> None:
    table = folder / "values.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join(["note," + lines[0], *(f"mine,{line}" for line in lines[1:])]))
    for words in ([], ["--dry-run"]):
        refused = run("search", "study.yaml", *words, code=2).err
        assert "values.csv: no hole of the space is called 'note'" in refused
    assert not list(folder.glob("*.db"))
    table.write_text(
        "\n".join(["note," + lines[0], "mine," + lines[1], *("," + line for line in lines[2:])])
    )
    for words in (["--dry-run"], []):
        assert (
            f"no candidate has 1 of the {len(lines) - 1} rows"
            in run("search", "study.yaml", *words).err
        )


def test_what_was_searched_is_shown_although_a_link_leads_elsewhere_by_now(
    run: Run, tabular: Path, folder: Path
) -> None:
    run("search", "study.yaml", "--trials", "1", "--db", "other.db")
    link, held = folder / "link.db", folder / "held.db"
    link.symlink_to(held)

    def move() -> None:
        while not held.exists():
            time.sleep(0.001)
        (folder / "new.db").symlink_to("other.db")
        (folder / "new.db").rename(link)

    mover = threading.Thread(target=move)
    mover.start()
    done = run("search", "study.yaml", "--db", "link.db")
    mover.join()
    assert f"link.db leads to another database by now; what was searched is in {held}" in done.err
    assert "front of 'tabular': 3 of 6 complete trials" in done.out


def test_a_dry_run_writes_a_study_that_can_be_searched(run: Run, folder: Path) -> None:
    place = "else/copy.yaml"
    (folder / "mine.yaml").write_text((packaged("specs") / "vittm-digits.yaml").read_text())
    (folder / "else").mkdir()
    words = ["--objective", "params,macs"]
    run("search", "mine.yaml", *words, "--dry-run", "-o", place, "--json")
    assert "9 holes" in run("check", place).out
    direct = run("search", "mine.yaml", *words, "--trials", "3", "--db", "a.db", "--json").json()
    copied = run("search", place, "--trials", "3", "--db", "b.db", "--json").json()
    for found in (direct, copied):
        found.pop("db")
    assert copied == direct


def test_a_study_written_elsewhere_finds_its_base(run: Run, tabular: Path, folder: Path) -> None:
    model = (packaged("specs") / "vittm-digits.yaml").read_text()
    (folder / "mine.yaml").write_text(model)
    (folder / "else").mkdir()
    both = "base={choose: [mine, vittm-digits]}"
    run("search", "study.yaml", "--set", both, "--dry-run", "-o", "else/copy.yaml")
    text = (folder / "else" / "copy.yaml").read_text()
    assert "choose: [../mine.yaml, vittm-digits]" in text
    run("check", "else/copy.yaml")


@pytest.mark.parametrize(
    ("db", "message"),
    [
        ("text.db", "is not a database"),
        ("gone/archdsl.db", "there is no folder"),
        (".", "is a folder"),
        ("http://x/y", "is not supported"),
    ],
)
def test_a_database_that_cannot_be_used(
    run: Run, tabular: Path, folder: Path, db: str, message: str
) -> None:
    (folder / "text.db").write_text("no database\n" * 100)
    done = run("search", "study.yaml", "--db", db, code=2)
    assert message in done.err
    assert len(done.err.splitlines()) == 2


def test_a_database_of_a_newer_version(run: Run, searched: Any, folder: Path) -> None:
    with sqlite3.connect(folder / "archdsl.db") as connection:
        connection.execute("UPDATE archdsl_version SET version_num = '9999'")
    connection.close()
    for words in (["search", "study.yaml"], ["front"]):
        done = run(*words, code=2)
        assert "later version" in done.err or "newer" in done.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_database(run: Run, searched: Any, folder: Path) -> None:
    (folder / "archdsl.db").chmod(0o400)
    assert "read-only" in run("search", "study.yaml", code=2).err


def test_plots_are_promised_before_the_search(run: Run, tabular: Path, folder: Path) -> None:
    """A folder that cannot be written is found out at once, not after hours."""
    (folder / "file").write_text("")
    for place in ("file", "file/inside"):
        done = run("search", "study.yaml", "-o", place, code=2)
        assert "-o" in done.err
        assert not (folder / "archdsl.db").exists()
    run("search", "study.yaml", "-o", "new/folder")
    assert (folder / "new" / "folder" / "tabular-front.png").exists()


def test_states_are_told_apart(run: Run, tabular: Path, folder: Path) -> None:
    text = (folder / "values.csv").read_text()
    (folder / "values.csv").write_text(text.replace("4,64,5,5,5,70,68\n", ""))
    run("search", "study.yaml", "--trials", "9", "--set", "constraints=[latency <= 3.2ms]")
    with open_store("archdsl.db") as store:
        states = store.trials.count(store.studies.find("tabular").id).states
    assert states[State.COMPLETE] + states[State.INFEASIBLE] + states[State.FAILED] == 8
    assert states[State.INFEASIBLE] > 0


@pytest.mark.slow
def test_progress_on_a_terminal(on_terminal: Callable[..., Any], tabular: Path) -> None:
    """Drawn on standard error while it runs, and wiped away at the end."""
    found, drawn = on_terminal("search", "study.yaml", "--json")
    assert found["complete"] == 6
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", drawn)
    assert "6/6 trials" in text
    assert "front so far" in text
    assert max(len(line) for line in re.split(r"[\r\n]+", text)) <= 80
    assert drawn.rpartition("trials")[2].count("\x1b[2K") >= 3, "its lines are cleared"
    assert drawn.count("\x1b[?25l") == drawn.count("\x1b[?25h"), "the cursor is back"


def test_json_has_no_nan(run: Run, tabular: Path) -> None:
    text = run("search", "study.yaml", "--json").out
    json.loads(text, parse_constant=pytest.fail)


def test_a_problem_of_an_option_has_no_place_in_a_text(run: Run, folder: Path) -> None:
    lines = run("search", "digits", "--trials", "0", code=2).err.splitlines()
    assert lines[-2:] == ["archdsl: --trials: 1 problem", "  budget.trials  0 is below 1"]
