"""Models of timm's beside a search: measured as the candidates are, shown, and no candidates."""

from __future__ import annotations

from pathlib import Path

from archdsl.store.store import open_store
from archdsl.training.bundle import load_bundle
from archdsl.training.data.digits import open_digits
from tests.cli.conftest import Command

STUDY = """
archdsl: 1
kind: study
name: held
base: vittm-digits
space: {depth: {choose: [1, 2]}}
objectives: {latency: minimize, top1: maximize, params_m: minimize}
evaluate:
  latency: {device: cpu, batch: 8, threads: 1, max_seconds: 0.1}
  top1: {data: digits, recipe: {epochs: 1, drop_path: 0.1}}
budget: {trials: 1}
baselines: [timm:resnet10t]
"""


def test_a_baseline_is_held_against_the_front(run: Command, folder: Path) -> None:
    Path("held.yaml").write_text(STUDY)
    done = run("search", "held.yaml", "-o", "plots")
    assert "timm:resnet10t" in done.err
    told = run("front", "--json", "--plot", "front.svg", "--plot", "front.html").json()
    [baseline] = told["baselines"]
    assert baseline["name"] == "timm:resnet10t"
    assert baseline["values"].keys() == told["objectives"].keys()
    assert baseline["values"]["params_m"]["value"] == baseline["facts"]["params"] / 1e6
    assert 0 < baseline["test_top1"] <= 100
    assert [each["trial"] for each in told["members"]] == [0]
    assert told["complete"] == 1
    assert "timm:resnet10t" in Path("front.svg").read_text()
    assert "timm:resnet10t (baseline); latency (ms): " in Path("front.html").read_text()
    shown = run("front").out
    assert "baseline timm:resnet10t: latency " in shown
    run("report", "-o", "report.html")
    assert "Baseline timm:resnet10t: latency " in Path("report.html").read_text()
    with open_store("archdsl.db", read_only=True) as store:
        [row] = store.studies.all()
        kept = {each.quantity: each for each in store.measurements.of_arch(baseline["arch_id"])}
        behind = store.measurements.by_trial(row.id)
    [trial] = behind.values()
    assert {name: kept[name].key for name in ("latency", "top1")} == {
        name: trial[name].key for name in ("latency", "top1")
    }
    assert kept["top1"].protocol["data"] == open_digits(name="digits", split_seed=0).digest
    again = run("search", "held.yaml")
    assert "of a baseline" not in again.err
    full = run("confirm", "--seeds", "1", "--threads", "1", "--json")
    assert "timm:resnet10t, seed 1 (2 of 2)" in full.err
    [member], [beside] = full.json()["members"], full.json()["baselines"]
    assert (member["trial"], beside["trial"], beside["baseline"]) == (0, None, "timm:resnet10t")
    assert beside["found"]["value"] == baseline["values"]["top1"]["value"]
    bundle = load_bundle(beside["bundles"]["1"])
    assert bundle.spec.name == "timm:resnet10t"
    assert bundle.training["recipe"] == load_bundle(member["bundles"]["1"]).training["recipe"]


def test_an_estimate_counts_baselines(run: Command, folder: Path) -> None:
    Path("held.yaml").write_text(STUDY)
    alone = run("search", "held.yaml", "--dry-run", "--set", "baselines=[]", "--json").json()
    assert alone["baselines"] == {}
    assert alone["total_seconds"] == alone["latency_seconds"] + alone["training_seconds"]
    done = run("search", "held.yaml", "--dry-run", "--json")
    found = done.json()
    assert "timing a few steps of a training of timm:resnet10t" in done.err
    own = found["latency_seconds"] + found["training_seconds"]
    [(name, more)] = found["baselines"].items()
    assert name == "timm:resnet10t"
    assert more > 0.1, "its latency alone takes so long"
    assert found["total_seconds"] == own + more
    assert "baseline   timm:resnet10t: " in run("search", "held.yaml", "--dry-run").out


def test_a_baseline_begins_with_weights_of_its_own(run: Command, folder: Path) -> None:
    words = ("--data", "digits", "--epochs", "2", "--threads", "1", "--set", "drop_path=0.1")
    run("train", "timm:resnet10t", *words, "-o", "trained")
    begun = "baselines: [timm:resnet10t, {model: timm:resnet10t, init: trained}]"
    Path("held.yaml").write_text(STUDY.replace("baselines: [timm:resnet10t]", begun))
    run("search", "held.yaml")
    fresh, other = run("front", "--json").json()["baselines"]
    assert (fresh["name"], other["name"]) == ("timm:resnet10t", "timm:resnet10t from trained")
    assert fresh["values"]["top1"]["value"] < other["values"]["top1"]["value"]
    with open_store("archdsl.db", read_only=True) as store:
        [kept] = [m for m in store.measurements.of_arch(other["arch_id"]) if m.quantity == "top1"]
    assert any(each.startswith("begins with trained: ") for each in kept.detail["remarks"])
    assert "of a baseline" not in run("search", "held.yaml").err
    full = run("confirm", "--seeds", "1", "--threads", "1", "--json").json()["baselines"]
    begun_with = [load_bundle(each["bundles"]["1"]).training["init"] for each in full]
    weights = load_bundle("trained").weights
    assert begun_with == [None, {"file": "trained", "weights": weights}]


def test_weights_that_no_baseline_can_begin_with(run: Command, folder: Path) -> None:
    begun = "baselines: [{model: timm:resnet10t, init: nowhere}]"
    study = STUDY.replace("baselines: [timm:resnet10t]", begun)
    Path("held.yaml").write_text(study)
    run("check", "held.yaml")
    assert "nowhere" in run("search", "held.yaml", code=2).err
    assert not Path("archdsl.db").exists()
    run("train", "vittm-digits", "--data", "digits", "--epochs", "1", "-o", "nowhere")
    assert "nothing of these weights fits" in run("search", "held.yaml", code=2).err
    untrained = study.replace("  top1: {data: digits, recipe: {epochs: 1, drop_path: 0.1}}\n", "")
    Path("idle.yaml").write_text(untrained.replace(", top1: maximize", ""))
    assert "has no effect: nothing is trained" in run("check", "idle.yaml", code=2).err


def test_what_no_baseline_can_be(run: Command, folder: Path) -> None:
    Path("unknown.yaml").write_text(STUDY.replace("resnet10t", "resnet10x"))
    unknown = run("search", "unknown.yaml", code=2)
    assert "did you mean timm:resnet10t" in unknown.err
    assert not Path("archdsl.db").exists()
    Path("table.csv").write_text("depth,latency\n1,2.0\n2,3.0\n")
    table = STUDY.replace(
        "{device: cpu, batch: 8, threads: 1, max_seconds: 0.1}", "{table: table.csv}"
    )
    Path("table.yaml").write_text(table)
    assert "the table of latency knows nothing of them" in run("check", "table.yaml", code=2).err
    Path("wrong.yaml").write_text(STUDY.replace("timm:resnet10t", "resnet10t"))
    assert "baselines" in run("check", "wrong.yaml", code=2).err
