"""`front`, `show` and `export`: what was found, and back to documents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archdsl.plan.read import read_model
from archdsl.records import Measurement, Outcome, State
from archdsl.store.owner import Owner
from archdsl.store.store import open_store

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def found(searched: Any) -> Any:
    """The front of the searched study."""
    return searched.json()


def test_front_shows_the_members_of_the_view(run: Run, found: Any) -> None:
    with open_store("archdsl.db") as store:
        members = [trial.number for trial in store.front(store.study("tabular").id)]
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
    protocol = {"evaluator": "latency/1"}
    with open_store("loose.db") as store:
        row = store.ensure_study(
            name="loose", document={"base": "vittm-digits"}, objectives={"latency": "minimize"}
        )
        trial = store.add_trial(
            study_id=row.id, budget=1, owner=Owner.current(), arch_id=model.plan.arch_id,
            spec=model.spec.document(), plan=model.plan.canonical(), facts={"params": 7},
            params={}, distributions={}, sampler_attrs={}, attempt=0,
        )  # fmt: skip
        assert trial is not None
        made = Measurement(
            quantity="latency", value=3.0, low=2.5, high=3.5, unit="ms", protocol=protocol,
            detail={"steady": False},
        )  # fmt: skip
        store.finish_trial(
            trial_id=trial.id,
            token=trial.token or "",
            outcome=Outcome(state=State.COMPLETE, measurements=(made,)),
            values={"latency": made},
        )
    assert run("front", "--db", "loose.db", "--json").json()["members"][0]["steady"] is False
    table = run("front", "--db", "loose.db").out
    assert "~3.000 ±0.500" in table
    assert "~ not steady" in table


def test_a_study_is_named_where_there_are_several(run: Run) -> None:
    run("search", "study.yaml", "--set", "name=second", "--json")
    assert "tabular | second" in run("front", code=2).err
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
    [("99", "its trials are 0 to 5"), ("zzzz", "holds no architecture 'zzzz'"), ("", "holds no")],
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
        run("export", what, "-o", "one.yaml")
        assert read_model("one.yaml").plan.arch_id == member["arch_id"]
    run("export", "0")
    assert (folder / "vittm-digits-trial-0.yaml").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--front", "-o", "file"], "-o names a folder"),
        (["1", "-o", "."], "-o names the file"),
        (["1", "-o", "no/where.yaml"], "no/where.yaml"),
        (["1", "--front"], "say what to export"),
        (["77"], "no trial 77"),
    ],
)
def test_export_where_it_cannot(run: Run, folder: Path, words: list[str], message: str) -> None:
    (folder / "file").write_text("")
    assert message in run("export", *words, code=2).err


def test_an_empty_front_is_said_to_be(run: Run) -> None:
    run("search", "study.yaml", "--db", "e.db", "--set", "constraints=[params <= 5]", code=2)
    assert "empty" in run("export", "--front", "--db", "e.db", code=2).err
    assert run("front", "--db", "e.db", "--json").json()["members"] == []
    assert "nothing measured yet" in run("front", "--db", "e.db").out
