"""What a search will cost and come to, said before anything is paid."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archdsl.document.shelves import packaged

Run = Callable[..., Any]

QUICK = ["--set", "evaluate.latency.max_seconds=0.05"]


def test_what_a_training_is_of(run: Run) -> None:
    words = ("search", "digits", "--dry-run", *QUICK, "--set", "evaluate.top1.epochs=12")
    told = run(*words).out
    assert " s a trial: 12 epochs, 1 seed, timed on the base\n" in told
    several = (*words, "--set", "evaluate.top1.seeds=[0, 1]", "--json")
    found = run(*several).json()
    assert (found["epochs"], found["seeds"], found["timed_on"]) == (12, 2, "the base")


def test_it_tries_nothing_again(run: Run) -> None:
    done = run("search", "digits", "--dry-run", "--retry", "failed", code=2)
    assert "a dry run tries nothing again; leave out --retry, or --dry-run" in done.err


def test_a_training_without_a_base(run: Run, folder: Path) -> None:
    model = (packaged("specs") / "vittm-digits.yaml").read_text()
    lines = [line for line in model.splitlines() if not line.startswith("#")]
    (folder / "study.yaml").write_text(
        "archdsl: 1\nkind: study\nname: baseless\nobjectives: {top1: maximize}\n"
        "evaluate: {top1: {data: digits, recipe: small-images, epochs: 1}}\nbudget: {trials: 2}\n"
        "space:\n" + "".join(f"  {line}\n" for line in lines)
    )
    told = run("search", "study.yaml", "--dry-run", "--set", "space.depth={choose: [1, 2]}").out
    assert "latency    not asked for\n" in told
    assert " s a trial: 1 epoch, 1 seed, timed on the first of all options\n" in told


def test_all_that_is_measured_costs(run: Run, folder: Path) -> None:
    (folder / "study.yaml").write_text(HARD)
    quick = "{device: cpu, batch: 1, max_seconds: 0.05}"
    words = (
        "search", "study.yaml", "--dry-run", "--set", "objectives.throughput=maximize",
        "--set", f"evaluate.throughput={quick}",
    )  # fmt: skip
    lines = run(*words).out.splitlines()
    assert any(re.match(r"throughput \d+\.\d s a trial, timed on the base", each) for each in lines)
    assert not any(each.startswith("memory") for each in lines)
    found = run(*words, "--json").json()
    assert found["total_seconds"] == pytest.approx(6 * found["throughput_seconds"])


def test_a_training_that_does_not_fit(run: Run, folder: Path) -> None:
    (folder / "study.yaml").write_text(HARD)
    huge = (packaged("specs") / "vittm-digits.yaml").read_text().replace("dim: 64", "dim: 2048")
    (folder / "huge.yaml").write_text(huge)
    words = ("search", "study.yaml", "--dry-run", "--set", "objectives={top1: maximize}")
    recipe = "evaluate.top1={data: digits, recipe: {batch: 65536}}"
    done = run(*words, "--set", recipe, "--set", "base=huge", code=2)
    assert "a training in batches of 65536 takes at least" in done.err


HARD = """\
archdsl: 1
kind: study
name: hard
base: vittm-digits
space:
  process: {dim: {choose: [80, 64, 96]}}
  exchange: {read: {num_heads: {choose: [1, 5]}}}
  depth: {choose: [4, 2]}
objectives: {params: minimize}
evaluate: {}
budget: {trials: 6}
"""


def test_why_draws_are_invalid_or_infeasible(run: Run, folder: Path) -> None:
    """The choice to take away is named, with those it does not go with."""
    (folder / "study.yaml").write_text(HARD)
    words = ("search", "study.yaml", "--dry-run", "--set", "constraints=[depth <= 2, params <= 1]")
    done = run(*words)
    lines = done.out.splitlines()
    assert lines[2].startswith("invalid    ")
    assert "%  exchange.read.num_heads: 5 does not divide the process stream's width " in lines[2]
    assert lines[3].lstrip().startswith("draws with exchange.read.num_heads 5 (")
    assert "process.dim 64 (" in lines[3]
    assert "process.dim 96 (" in lines[3]
    assert "depth" not in lines[3]
    assert "%  params is " in lines[4]
    assert "%  depth is 4, but depth <= 2 is asked for (the closest)" in lines[5]
    assert "none of 200 random draws keeps the constraints" in done.err
    found = run(*words, "--json").json()
    [reason] = found["invalid"]
    assert found["valid"] + reason["share"] == 1
    [five, *others] = reason["options"]
    assert (five["hole"], five["option"]) == ("exchange.read.num_heads", 5)
    assert five["refused"] == 200 * reason["share"] < five["draws"]
    assert {(each["hole"], each["option"]) for each in others} == {
        ("process.dim", 64),
        ("process.dim", 96),
    }
    assert all(each["refused"] < each["draws"] for each in others)
    shares = {each["constraint"]: each["share"] for each in found["infeasible"]}
    assert shares["params <= 1"] == found["valid"] > shares["depth <= 2"] > 0


def test_many_reasons_are_cut_short(run: Run, folder: Path) -> None:
    (folder / "study.yaml").write_text(HARD)
    holes = "{latent_ratio: {choose: [0.5, 0.3]}, num_heads: {choose: [1, 5]}}"
    words = (
        "search", "study.yaml", "--dry-run",
        "--set", f"space.exchange={{read: {holes}, write: {holes}}}",
        "--set", "space.process.block.head_dim={choose: [16, 20]}",
    )  # fmt: skip
    lines = run(*words).out.splitlines()
    assert sum(" draws with " in line for line in lines) == 3
    assert any(line.lstrip().startswith("and 2 rarer reasons") for line in lines)
    assert len(run(*words, "--json").json()["invalid"]) == 5


def test_how_much_a_table_holds(run: Run, tabular: Path, folder: Path, searched: Any) -> None:
    """By decisions, the base's row among them, and by architectures alike."""
    words = ("search", "study.yaml", "--dry-run", "--set")
    lines = (folder / "values.csv").read_text().splitlines()
    (folder / "few.csv").write_text("\n".join([*lines[:2], *lines[3:5]]))
    known = [member["arch_id"] for member in searched.json()["members"]]
    rows = [f"{arch_id},1" for arch_id in known]
    (folder / "known.csv").write_text("\n".join(["arch_id,latency", *rows, "else,1"]))
    for table, held, missing in (
        ("few.csv", 3, "few.csv: no row for depth = "),
        ("known.csv", len(known), "known.csv: no row for arch_id "),
    ):
        done = run(*words, f"evaluate.latency.table={table}")
        assert f"{table} holds latency of {held} of 8 models drawn; the trials" in done.out
        assert missing in done.out
        assert " top1 " not in done.out, "of which nothing is missing"
    narrow = (*words, "space.depth.choose=[1, 2]", "--set", "constraints=[depth <= 1]", "--json")
    assert run(*narrow).json()["tables"]["top1"] == {
        "table": "values.csv", "models": 2, "held": 2, "missing": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "values.csv: no rows; a table has one for each candidate"),
        (["1,32,,40", "1,64,,50"], "values.csv: the column 'latency' is empty"),
    ],
)
def test_a_table_without_values(
    run: Run, tabular: Path, folder: Path, rows: list[str], message: str
) -> None:
    (folder / "values.csv").write_text("\n".join(["depth,process.dim,latency,top1", *rows]))
    for more in ([], ["--dry-run"]):
        assert message in run("search", "study.yaml", *more, code=2).err
    assert not list(folder.glob("*.db"))
