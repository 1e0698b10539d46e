"""`archdsl compile` and `archdsl measure`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

import archdsl
from archdsl.compiler.files import write_compiled
from archdsl.document.write import to_yaml
from archdsl.plan.read import read_model

Run = Callable[..., Any]


def test_figures_and_files(run: Run, folder: Path) -> None:
    found = run("compile", "vittm-digits", "-o", "a", "--seed", "3", "--json").json()
    checked = read_model("vittm-digits")
    assert found["name"] == "vittm-digits"
    assert found["arch_id"] == checked.plan.arch_id
    assert found["streams"] == {
        "process": {"tokens": 4, "dim": 64},
        "memory": {"tokens": 16, "dim": 64},
    }
    figures = [found[name] for name in ("params", "params_allocated", "macs", "macs_fvcore")]
    assert all(isinstance(figure, int) for figure in figures)
    assert [Path(file).name for file in found["files"]] == [
        "spec.yaml", "plan.json", "weights.safetensors",
    ]  # fmt: skip
    for place, seed in (("b", 3), ("c", 4)):
        write_compiled(checked.spec, checked.plan, folder / place, seed=seed)
    assert read_model("a/spec.yaml").plan.arch_id == checked.plan.arch_id
    plan = json.loads((folder / "a" / "plan.json").read_text())
    assert plan["arch_id"] == checked.plan.arch_id
    weights = {place: (folder / place / "weights.safetensors").read_bytes() for place in "abc"}
    assert weights["a"] == weights["b"] != weights["c"]
    model = archdsl.compile(checked.spec)
    model.load_state_dict(load_file(folder / "a" / "weights.safetensors"))


def test_what_multiply_adds_count_is_said_beside_them(run: Run) -> None:
    out = run("compile", "vittm-digits").out
    [line] = [each for each in out.splitlines() if "multiply-adds" in each]
    assert "LayerNorms at 5 an element" in line


@pytest.mark.parametrize("seed", ["-1", "99999999999999999999999", "x"])
def test_a_seed_beyond_its_bounds(run: Run, seed: str) -> None:
    assert "--seed" in run("compile", "vittm-digits", "--seed", seed, code=2).err


def test_weights_beyond_the_memory_are_refused_before_anything(run: Run, folder: Path) -> None:
    words = ["--set", "process.dim=65536", "--set", "depth=1024"]
    done = run("compile", "vittm-digits", *words, "-o", "out", code=2)
    assert "GB of memory" in done.err
    assert not (folder / "out").exists()
    assert run("compile", "vittm-digits", *words, "--json").json()["params"] > 1e12


@pytest.mark.slow
def test_two_models_of_one_name_are_told_apart(run: Run, folder: Path) -> None:
    (folder / "a.yaml").write_text(to_yaml(read_model("vittm-digits").spec.document()))
    words = ["--threads", "1", "--max-seconds", "0.05"]
    out = run("measure", "a.yaml", "--set", "depth=1", "--vs", "a.yaml", *words).out
    assert ": vittm-digits (a.yaml --set depth=1) takes 0." in out
    assert " of the time of vittm-digits (a.yaml)\n" in out
    out = run("measure", "a.yaml", "--vs", "a.yaml", *words).out
    assert "of the time of vittm-digits\n" in out


@pytest.mark.slow
def test_measure(run: Run) -> None:
    words = ["--batch", "4", "--threads", "1", "--max-seconds", "0.5", "--json"]
    one = run("measure", "vittm-digits", *words, "--set", "process.dim=32").json()
    assert one["arch_id"] == read_model("vittm-digits", ["process.dim=32"]).plan.arch_id
    assert one["low_ms"] <= one["latency_ms"] <= one["high_ms"]
    assert one["protocol"]["batch"] == 4
    assert isinstance(one["steady"], bool)


def test_rewrites_are_told(run: Run) -> None:
    words = ("compile", "vittm-digits", "--optimize", "--batch", "2")
    told = run(*words, "--explain", "--max-seconds", "0.1")
    assert "with          multiply-adds" in told.out
    assert "linear maps packed" in told.out
    [plain, *stages] = run(*words, "--passes", "folded,needed", "--json").json()["optimize"][
        "passes"
    ]
    assert plain["name"] == "plain"
    assert [each["name"] for each in stages] == ["needed", "folded"]
    assert stages[-1]["difference"] < 1e-5


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["compile", "vittm-digits", "--explain"], "of --optimize; add it"),
        (["compile", "vittm-digits", "--optimize", "--passes", "fuse"], "no pass is called 'fuse'"),
        (["measure", "vittm-digits", "--vs-optimize"], "the model after --vs"),
    ],
)
def test_rewrites_that_cannot_be_asked_for(run: Run, words: list[str], told: str) -> None:
    assert told in run(*words, code=2).err


def test_each_flag_concerns_one_side(run: Run) -> None:
    words = ("measure", "vittm-digits", "--vs", "vittm-digits", "--max-seconds", "0.1")
    told = run(*words, "--vs-optimize").out
    assert "vittm-digits takes" in told and "vittm-digits, optimized" in told
    alone = run("measure", "vittm-digits", "--optimize", "--max-seconds", "0.1", "--json").json()
    assert alone["protocol"]["optimize"] is True


def test_a_search_measures_what_was_rewritten(run: Run) -> None:
    sets = ("--set", "evaluate.latency.optimize=true", "--set", "evaluate.latency.max_seconds=0.2")
    run("search", "digits", "--objective", "latency", *sets, "--trials", "1")
    assert "(batch 64, float32, optimize, 1 thread, torch" in run("front").out
