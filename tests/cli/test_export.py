"""`export`: certificates beside the front, and whole studies for other tools."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

import archdsl
from archdsl.plan.facts import facts
from archdsl.plan.read import read_model
from archdsl.records import Outcome, State
from archdsl.store.owner import Owner
from archdsl.store.rows import Architecture, NewTrial
from archdsl.store.store import open_store

Run = Callable[..., Any]

HOSTILE = "<script>alert('1')</script>, \"quoted\"\n🚀 =1+1 " + "x" * 10_000
ENDS = [State.INFEASIBLE, State.FAILED, State.OUT_OF_MEMORY, State.CRASHED, State.RUNNING]


@pytest.fixture
def found(searched: Any) -> Any:
    """The front of a searched study that also holds trials of every other state."""
    with open_store("archdsl.db") as store:
        row = store.studies.find("tabular")
        for depth, state in enumerate(ENDS, start=5):
            model = read_model("vittm-digits", [f"depth={depth}"])
            new = NewTrial(
                architecture=Architecture(
                    arch_id=model.plan.arch_id,
                    spec=model.spec.document(),
                    plan=model.plan.canonical(),
                    facts=facts(model.plan),
                ),
                params={"depth": 4},
                distributions={
                    "depth": '{"name": "CategoricalDistribution", "attributes": '
                    '{"choices": [1, 2, 3, 4]}}'
                },
                counted=state is State.RUNNING,
                outcome=Outcome(state=state, reason=HOSTILE, violation=0.5)
                if state is not State.RUNNING
                else None,
            )
            store.trials.add(new, study_id=row.id, budget=None, owner=Owner.current())
    return searched.json()


def test_certificates_say_how_a_value_came_about(run: Run, found: Any, folder: Path) -> None:
    written = run("export", "--front", "-o", "out", "--json").json()["files"]
    assert len(written) == len(found["members"])
    by_identity = {member["arch_id"]: member for member in found["members"]}
    for each in written:
        certificate = json.loads(Path(each["certificate"]).read_text())
        document = read_model(str(folder / "out" / certificate["document"]))
        assert document.plan.arch_id == certificate["arch_id"] == each["arch_id"]
        member = by_identity[certificate["arch_id"]]
        assert certificate["trial"] == member["trial"]
        assert certificate["values"]["latency"]["unit"] == "ms"
        for name, value in member["values"].items():
            said = certificate["values"][name]
            assert {key: said[key] for key in ("value", "low", "high")} == value
            [measurement] = said["measurements"]
            assert measurement["stored"].startswith("20")
            assert measurement["protocol"]["table"]
        assert [each["quantity"] for each in certificate["beside"]] == ["test_top1"]
        assert certificate["study"]["name"] == "tabular"
    run("export", "--front", "-o", "out")  # the same again is no loss


def test_a_real_latency_has_conditions_and_a_fingerprint(run: Run, folder: Path) -> None:
    run(
        "search", "vittm-digits", "--objective", "latency,params", "--trials", "1",
        "--set", "evaluate.latency.max_seconds=0.3",
    )  # fmt: skip
    [written] = run("export", "--front", "-o", "out", "--json").json()["files"]
    certificate = json.loads(Path(written["certificate"]).read_text())
    [measurement] = certificate["values"]["latency"]["measurements"]
    assert measurement["protocol"]["fingerprint"]["torch"]
    assert measurement["protocol"]["batch"] > 0
    samples = measurement["samples"]
    assert samples["count"] > 0
    assert samples["measured_at"].startswith("20")
    assert "blocks_ms" not in samples
    assert measurement["low"] <= measurement["value"] <= measurement["high"]


def test_csv_holds_every_trial(run: Run, found: Any, folder: Path) -> None:
    run("export", "--csv", "trials.csv")
    with (folder / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["number"]) for row in rows] == list(range(len(rows)))
    states = [row["state"] for row in rows]
    assert states[-len(ENDS) :] == [state.value for state in ENDS]
    with open_store("archdsl.db") as store:
        trials = store.trials.all(store.studies.find("tabular").id)
    for row, trial in zip(rows, trials, strict=True):
        assert row["arch_id"] == trial.arch_id
        for name in ("latency", "top1"):
            if trial.state is State.COMPLETE:
                assert float(row[name]) == trial.values[name].value
                assert float(row[f"{name}_low"]) == trial.values[name].low
            else:
                assert row[name] == row[f"{name}_low"] == ""
        assert row["params.depth"] == str(trial.params.get("depth", ""))
        assert int(row["facts.depth"]) >= 1
        assert row["started"].startswith("20")
    assert rows[0]["difference"] == ""
    assert "depth 4 → 5" in rows[-len(ENDS)]["difference"]
    assert rows[-len(ENDS)]["reason"] == HOSTILE
    assert rows[-1]["finished"] == ""


def test_parquet_holds_the_same(run: Run, found: Any, folder: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="an extra")
    run("export", "--csv", "trials.csv", "--parquet", "trials.parquet")
    rows = parquet.read_table(folder / "trials.parquet").to_pylist()
    with (folder / "trials.csv").open(newline="") as file:
        texts = list(csv.DictReader(file))
    assert len(rows) == len(texts)
    for row, text in zip(rows, texts, strict=True):
        assert list(row) == list(text)
        for name, value in row.items():
            assert text[name] == ("" if value is None else str(value))
    assert isinstance(rows[0]["latency"], float)
    assert isinstance(rows[0]["facts.params"], int)


def test_parquet_without_pyarrow(run: Run, found: Any, folder: Path) -> None:
    hidden = folder / "hidden"
    hidden.mkdir()
    (hidden / "pyarrow.py").write_text("raise ImportError('hidden')\n")
    path = os.pathsep.join([str(hidden), str(Path(archdsl.__file__).parents[1])])
    done = run("export", "--parquet", "t.parquet", code=2, env={"PYTHONPATH": path})
    assert "pip install 'archdsl[export]'" in done.err
    assert not (folder / "t.parquet").exists()


def test_optuna_opens_it(run: Run, found: Any, folder: Path) -> None:
    run("export", "--optuna", "study.db")
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{folder / 'study.db'}")
    assert study.study_name == "tabular"
    assert [direction.name for direction in study.directions] == ["MINIMIZE", "MAXIMIZE"]
    assert study.metric_names == ["latency", "top1"]
    assert {trial.user_attrs["trial"] for trial in study.best_trials} == {
        member["trial"] for member in found["members"]
    }
    states = [trial.state.name for trial in study.trials]
    assert states[-len(ENDS) :] == ["FAIL"] * 4 + ["RUNNING"]
    infeasible = study.trials[-len(ENDS)]
    assert infeasible.user_attrs["reason"] == HOSTILE
    assert infeasible.user_attrs["state"] == "infeasible"
    assert infeasible.system_attrs["constraints"] == [0.5]


def test_the_same_study_is_the_same_file(run: Run, found: Any, folder: Path) -> None:
    run("export", "--optuna", "study.db", "--csv", "trials.csv", fresh=True)
    first = (folder / "study.db").read_bytes()
    run("export", "--optuna", "study.db", "--csv", "trials.csv", fresh=True)
    assert (folder / "study.db").read_bytes() == first
    (folder / "trials.csv").write_text("mine")
    done = run("export", "--optuna", "other.db", "--csv", "trials.csv", code=2)
    assert "trials.csv exists and holds something else" in done.err
    assert not (folder / "other.db").exists()
    run("export", "--csv", "trials.csv", "--force")
    assert (folder / "trials.csv").read_text() != "mine"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["3", "--csv", "a.csv"], "write a whole study"),
        (["--front", "--optuna", "a.db"], "write a whole study"),
        (["--csv", "a.csv", "-o", "b"], "-o has no effect"),
        ([], "say what to export"),
        (["--csv", "no/where.csv"], "no/where.csv"),
    ],
)
def test_mistakes(run: Run, searched: Any, words: list[str], message: str) -> None:
    assert message in run("export", *words, code=2).err


def test_a_study_without_a_complete_trial(run: Run, tabular: Path, folder: Path) -> None:
    run("search", "study.yaml", "--db", "e.db", "--set", "constraints=[params <= 5]", code=2)
    run("export", "--db", "e.db", "--csv", "e.csv", "--optuna", "e-optuna.db")
    with (folder / "e.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["state"] for row in rows} <= {"infeasible"}
    study = optuna.load_study(study_name="tabular", storage=f"sqlite:///{folder / 'e-optuna.db'}")
    assert len(study.trials) == len(rows)
    assert study.best_trials == []
